# Tests of workloads/trace.
if(NOT OSMEM_SANITIZER STREQUAL "thread") # these have one thread
  osmem_add_test(trace_format_test SOURCES trace_format_test.cpp LIBRARIES trace_format LABELS trace)
  osmem_add_test(trace_hostile_test SOURCES trace_hostile_test.cpp LIBRARIES trace_format LABELS trace LONG_FORM)
  osmem_add_test(trace_raw_convert_test SOURCES trace_raw_convert_test.cpp LIBRARIES trace_format LABELS trace)
endif()
osmem_add_test(trace_replay_test SOURCES trace_replay_test.cpp LIBRARIES workloads_trace workloads_core LABELS trace
               THREADED *Thread* LONG_FORM)

if(OSMEM_SANITIZER)
  return() # below, allocators are preloaded; a sanitizer is one itself
endif()

# What only whole programs show: recorded, replayed, and seen by a witness of their calls.
add_executable(trace_subject trace_subject.cpp)
target_link_libraries(trace_subject PRIVATE osmem_flags)
add_library(trace_call_log MODULE trace_call_log.cpp)
target_link_libraries(trace_call_log PRIVATE osmem_flags)
target_compile_options(trace_call_log PRIVATE -fno-builtin)
add_executable(trace_replay_host trace_replay_host.cpp)
target_link_libraries(trace_replay_host PRIVATE workloads_trace workloads_core)
set_target_properties(trace_subject trace_call_log trace_replay_host PROPERTIES
  RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
add_test(NAME trace_record
         COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/trace_record_test.py
                 --bench $<TARGET_FILE:bench> --recorder $<TARGET_FILE:osmem-recorder>
                 --subject $<TARGET_FILE:trace_subject> --call-log $<TARGET_FILE:trace_call_log>
                 --replay-host $<TARGET_FILE:trace_replay_host> --source ${PROJECT_SOURCE_DIR})
set_tests_properties(trace_record PROPERTIES LABELS trace TIMEOUT 900)

add_test(NAME trace_tools
         COMMAND ${OSMEM_PYTHON} -B ${CMAKE_CURRENT_SOURCE_DIR}/trace_tools_test.py --bench $<TARGET_FILE:bench>
                 --subject $<TARGET_FILE:trace_subject> --source ${PROJECT_SOURCE_DIR})
set_tests_properties(trace_tools PROPERTIES LABELS trace TIMEOUT 900)

# libFuzzer comes with clang, whatever compiler builds the rest. Without clang, trace_hostile_test's mutations remain.
find_program(OSMEM_CLANGXX NAMES clang++-14 clang++ DOC "clang, for the fuzz target of trace files")
if(OSMEM_CLANGXX AND NOT OSMEM_SANITIZER)
  set(fuzz ${PROJECT_BINARY_DIR}/tests/trace_fuzz)
  set(trace_dir ${PROJECT_SOURCE_DIR}/workloads/trace/format)
  add_executable(trace_fuzz_seeds trace_fuzz_seeds.cpp)
  target_link_libraries(trace_fuzz_seeds PRIVATE trace_format)
  osmem_test_program(trace_fuzz_seeds)
  add_test(NAME trace_fuzz_build
           COMMAND ${OSMEM_CLANGXX} -std=c++20 -O2 -g -fsanitize=fuzzer,address,undefined -I${PROJECT_SOURCE_DIR}
                   -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION ${CMAKE_CURRENT_SOURCE_DIR}/trace_fuzz.cpp
                   ${trace_dir}/reader.cpp ${trace_dir}/source.cpp ${trace_dir}/format.cpp -lzstd -o ${fuzz})
  add_test(NAME trace_fuzz
           COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/trace_fuzz_test.py --runs=100000
                   --fuzz=${fuzz} --seeds=$<TARGET_FILE:trace_fuzz_seeds>)
  set_tests_properties(trace_fuzz_build PROPERTIES FIXTURES_SETUP trace_fuzz LABELS trace TIMEOUT 900)
  osmem_add_long_form(trace_fuzz COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/trace_fuzz_test.py --runs=1000000
                      --fuzz=${fuzz} --seeds=$<TARGET_FILE:trace_fuzz_seeds>)
  set_tests_properties(trace_fuzz.long PROPERTIES FIXTURES_REQUIRED trace_fuzz)
  set_tests_properties(trace_fuzz PROPERTIES FIXTURES_REQUIRED trace_fuzz LABELS trace TIMEOUT 900)
endif()
