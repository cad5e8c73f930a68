# The realistic workloads under every allocator that this machine has.
get_property(realistic_names GLOBAL PROPERTY REALISTIC_MODULES)
list(TRANSFORM realistic_names PREPEND "realistic_" OUTPUT_VARIABLE realistic_targets)
list(TRANSFORM realistic_names REPLACE "(.+)" "\"\\1\"")
list(JOIN realistic_names "," realistic_names)

add_executable(realistic_runner realistic_runner.cpp)
target_link_libraries(realistic_runner PRIVATE workloads_core)
set_target_properties(realistic_runner PROPERTIES ENABLE_EXPORTS ON)
osmem_test_program(realistic_runner)

find_library(REALISTIC_JEMALLOC libjemalloc.so.2)
find_library(REALISTIC_MIMALLOC NAMES libmimalloc.so.2.0 libmimalloc.so.2)
find_library(REALISTIC_TCMALLOC libtcmalloc_minimal.so.4)

osmem_add_test(realistic_test SOURCES realistic_test.cpp LABELS workloads)
add_dependencies(realistic_test osmem realistic_runner ${realistic_targets})
target_compile_definitions(realistic_test PRIVATE
  REALISTIC_NAMES=${realistic_names} REALISTIC_RUNNER="$<TARGET_FILE:realistic_runner>"
  REALISTIC_MODULES="${realistic_module_dir}"
  REALISTIC_JEMALLOC="${REALISTIC_JEMALLOC}" REALISTIC_MIMALLOC="${REALISTIC_MIMALLOC}"
  REALISTIC_TCMALLOC="${REALISTIC_TCMALLOC}"
  REALISTIC_OSMEM="${PROJECT_BINARY_DIR}/lib/libosmem.so")
