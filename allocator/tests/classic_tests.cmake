# The tests of allocator/classic.

# One scenario driver an allocator: driver.c over its library, named as the tests' parameters name it.
function(classic_add_driver name library header malloc calloc realloc free)
  add_executable(classic_driver_${name} classic_scenarios/driver.c)
  target_compile_definitions(classic_driver_${name} PRIVATE HEADER="allocator/classic/${header}"
    MALLOC=${malloc} CALLOC=${calloc} REALLOC=${realloc} FREE=${free})
  target_link_libraries(classic_driver_${name} PRIVATE osmem_flags ${library})
  set_target_properties(classic_driver_${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/classic OUTPUT_NAME ${name})
endfunction()

# Sanitizers move the break and map memory themselves: what is traced is the plain build.
if(NOT OSMEM_SANITIZER)
  classic_add_driver(classic osmem-classic osmem_classic.h os_malloc os_calloc os_realloc os_free)
  classic_add_driver(altmem osmem-altmem altmem.h alt_malloc alt_calloc alt_realloc alt_free)
  classic_add_driver(freelist osmem-freelist freelist.h memalloc defalloc memresize memfree)
  osmem_add_test(classic_scenarios_test LABELS classic
                 SOURCES classic_scenarios_test.cpp classic_freelist_scenarios_test.cpp
                         classic_scenarios/scenario.cpp)
  target_compile_definitions(classic_scenarios_test PRIVATE
                             CLASSIC_DRIVERS="${PROJECT_BINARY_DIR}/tests/classic/")
  add_dependencies(classic_scenarios_test classic_driver_classic classic_driver_altmem
                   classic_driver_freelist)
endif()

osmem_add_test(classic_fuzz_test LABELS classic SOURCES classic_fuzz_test.cpp
               ${PROJECT_SOURCE_DIR}/allocator/classic/freelist_options.cpp LONG_FORM)

osmem_add_test(classic_heap_test LABELS classic SOURCES classic_heap_test.cpp
               ${PROJECT_SOURCE_DIR}/allocator/classic/freelist_options.cpp)

if(NOT OSMEM_SANITIZER)
  osmem_add_test(classic_programs_test LABELS classic SOURCES classic_programs_test.cpp)
  target_compile_definitions(classic_programs_test PRIVATE
    BUILD_LIBRARIES="${CMAKE_LIBRARY_OUTPUT_DIRECTORY}" BUILD_EXAMPLES="${PROJECT_BINARY_DIR}/examples")
  add_dependencies(classic_programs_test classic_list freelist_copy altmem_leak trace_heap
                   osmem-classic-malloc osmem-freelist-malloc osmem-altmem-malloc)
endif()
