# The one place for compiler flags, and the helpers that every folder uses to add its targets.

find_package(Threads REQUIRED)

add_library(osmem_flags INTERFACE)
target_include_directories(osmem_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(osmem_flags INTERFACE -Wall -Wextra -Wundef -Wshadow
                       $<$<COMPILE_LANGUAGE:CXX>:-Wconversion>)
target_link_libraries(osmem_flags INTERFACE Threads::Threads)
if(OSMEM_WERROR)
  target_compile_options(osmem_flags INTERFACE -Werror)
endif()
if(OSMEM_SANITIZER)
  add_compile_options(-fsanitize=${OSMEM_SANITIZER} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${OSMEM_SANITIZER})
endif()

# osmem_add_test(NAME SOURCES... [LIBRARIES ...] [LABELS ...] [TIMEOUT SECONDS])
# A GoogleTest program, registered with ctest as one test per TEST() so that a failure is named.
function(osmem_add_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;LIBRARIES;LABELS" ${ARGN})
  if(NOT BUILD_TESTING)
    return()
  endif()
  find_package(GTest REQUIRED)
  include(GoogleTest)
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE osmem_flags ${arg_LIBRARIES} GTest::gmock GTest::gtest
                                        GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  gtest_discover_tests(${name} TEST_PREFIX ${name}. DISCOVERY_TIMEOUT 60
                       PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}")
endfunction()
