# Tests of the built libraries as files.

# interpose_library_test(DROP_IN NAME ARGUMENT...): library_test.py on lib<DROP_IN>.so.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
function(interpose_library_test drop_in name)
  if(TARGET ${drop_in})
    add_test(NAME interpose_library.${drop_in}.${name} COMMAND Python3::Interpreter
             ${CMAKE_CURRENT_SOURCE_DIR}/library_test.py $<TARGET_FILE:${drop_in}> ${ARGN})
    set_tests_properties(interpose_library.${drop_in}.${name} PROPERTIES LABELS interpose TIMEOUT 600)
  endif()
endfunction()

# The counts hold for the release build on x86-64; other builds are not laid out for speed.
if(CMAKE_BUILD_TYPE STREQUAL Release AND CMAKE_SYSTEM_PROCESSOR STREQUAL x86_64)
  interpose_library_test(osmem fast_path fast-path malloc:12:2 free:16:3 _Znwm:12:2 _Znam:12:2 _ZdlPv:16:3
                         _ZdlPvm:16:3)
endif()
interpose_library_test(osmem needs needs --constructors 1) # starts the heap while the process has one thread
interpose_library_test(osmem exports exports os_)
interpose_library_test(osmem static_tls static-tls 512)
interpose_library_test(osmem_limit needs needs)
interpose_library_test(osmem_limit exports exports)
interpose_library_test(osmem_live_bytes needs needs)

foreach(drop_in IN ITEMS osmem osmem_live_bytes)
  if(TARGET ${drop_in})
    add_test(NAME interpose_library.${drop_in}.opens_late COMMAND interpose_late $<TARGET_FILE:${drop_in}>)
    set_tests_properties(interpose_library.${drop_in}.opens_late PROPERTIES LABELS interpose TIMEOUT 600)
  endif()
endforeach()

if(TARGET osmem)
  add_test(NAME interpose_guarded.osmem COMMAND Python3::Interpreter
           ${CMAKE_CURRENT_SOURCE_DIR}/guarded_test.py $<TARGET_FILE:osmem> $<TARGET_FILE:interpose_guarded>)
  set_tests_properties(interpose_guarded.osmem PROPERTIES LABELS interpose TIMEOUT 600)
  add_test(NAME interpose_memory.osmem.cat COMMAND Python3::Interpreter
           ${CMAKE_CURRENT_SOURCE_DIR}/cat_memory.py $<TARGET_FILE:osmem>)
  # For all processes of the machine: not beside others.
  add_test(NAME interpose_memory.osmem.huge_pages_always.long COMMAND Python3::Interpreter
           ${CMAKE_CURRENT_SOURCE_DIR}/huge_pages_always.py $<TARGET_FILE:osmem>)
  set_tests_properties(interpose_memory.osmem.huge_pages_always.long PROPERTIES LABELS "interpose;long" TIMEOUT 600 RUN_SERIAL ON
                       SKIP_RETURN_CODE 77)
  foreach(heap IN ITEMS region sbrk)
    foreach(resource IN ITEMS address-space data)
      set(test interpose_limits.osmem-${heap}.${resource})
      add_test(NAME ${test} COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/limits_test.py ${resource}
               $<TARGET_FILE:osmem> --from 16)
      set_tests_properties(${test} PROPERTIES LABELS interpose TIMEOUT 600 ENVIRONMENT OSMEM_HEAP=${heap})
    endforeach()
  endforeach()
  foreach(program IN ITEMS redis python sqlite gcc git perl node)
    set(test interpose_programs.osmem.${program})
    add_test(NAME ${test} COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/real_programs.py
             ${program} $<TARGET_FILE:osmem>)
    set_tests_properties(${test} PROPERTIES LABELS interpose TIMEOUT 600 SKIP_RETURN_CODE 77)
    osmem_add_long_form(${test} COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/real_programs.py ${program}
                        $<TARGET_FILE:osmem>)
  endforeach()
endif()

if(TARGET osmem_hardened)
  add_test(NAME interpose_hardened.osmem-hardened COMMAND Python3::Interpreter
           ${CMAKE_CURRENT_SOURCE_DIR}/hardened_test.py $<TARGET_FILE:osmem_hardened> $<TARGET_FILE:interpose_hardened> -v)
  set_tests_properties(interpose_hardened.osmem-hardened PROPERTIES LABELS interpose TIMEOUT 600)
endif()
