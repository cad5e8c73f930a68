# The one place for compiler flags, and the helpers that every folder uses to add its targets and its tests.

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
  add_compile_options(-Wno-maybe-uninitialized) # gcc 12 sees it where there is none once the sanitizers' code is in
  add_link_options(-fsanitize=${OSMEM_SANITIZER})
endif()

# osmem_compile_together(TARGET...): the sources of each are compiled eight at a time, for those that would otherwise parse and
# instantiate nlohmann/json or CLI11 in every file, 8 to 20 CPU seconds each. Names in such files' unnamed namespaces must
# differ. -DOSMEM_COMPILE_TOGETHER=OFF compiles each file by itself, which is faster where one file is edited often.
option(OSMEM_COMPILE_TOGETHER "Compile files that include heavy headers together" ON)
function(osmem_compile_together)
  set_target_properties(${ARGV} PROPERTIES UNITY_BUILD ${OSMEM_COMPILE_TOGETHER} UNITY_BUILD_BATCH_SIZE 8)
endfunction()

# What the tests of this build tree run: the sanitizer presets build no more than this.
add_custom_target(checks)

# osmem_test_program(TARGET...): a program that tests start, below the build tree's tests/.
function(osmem_test_program)
  set_target_properties(${ARGV} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  add_dependencies(checks ${ARGV})
endfunction()

# osmem_discover_tests(TARGET PREFIX [LABELS ...] [ENVIRONMENT VAR=value...] [TIMEOUT SECONDS] [THREADED filter] [LONG_FORM])
# Registers each TEST() of a GoogleTest program as PREFIX.Suite.Name. With LONG_FORM it is registered once more as
# PREFIX.long.Suite.Name under the one label `long`, with OSMEM_TEST_LEVEL=long. THREADED names those that ThreadSanitizer can see
# anything in, as --gtest_filter does; its build registers no others.
function(osmem_discover_tests target prefix)
  cmake_parse_arguments(arg "LONG_FORM" "TIMEOUT;THREADED" "LABELS;ENVIRONMENT" ${ARGN})
  set(filter "")
  if(arg_THREADED AND OSMEM_SANITIZER STREQUAL "thread")
    set(filter TEST_FILTER ${arg_THREADED})
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 600) # for what hangs; no test takes so long, on any host
  endif()
  string(MAKE_C_IDENTIFIER ${prefix} list)
  gtest_discover_tests(${target} TEST_PREFIX ${prefix}. TEST_LIST ${list} DISCOVERY_TIMEOUT 120 ${filter})
  # Lists do not survive gtest_discover_tests' own PROPERTIES.
  set(file ${CMAKE_CURRENT_BINARY_DIR}/${list}_properties.cmake)
  file(CONFIGURE OUTPUT ${file} @ONLY CONTENT
       "set_tests_properties(\${${list}} PROPERTIES TIMEOUT @arg_TIMEOUT@ LABELS \"@arg_LABELS@\" ENVIRONMENT \"@arg_ENVIRONMENT@\")\n")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${file})
  if(arg_LONG_FORM)
    osmem_discover_tests(${target} ${prefix}.long LABELS long TIMEOUT 3600
                         ENVIRONMENT ${arg_ENVIRONMENT} OSMEM_TEST_LEVEL=long)
  endif()
endfunction()

# osmem_add_long_form(TEST [ENVIRONMENT VAR=value...] COMMAND ...): TEST.long, under the label `long`, with OSMEM_TEST_LEVEL=long.
function(osmem_add_long_form test)
  cmake_parse_arguments(arg "" "" "ENVIRONMENT;COMMAND" ${ARGN})
  add_test(NAME ${test}.long COMMAND ${arg_COMMAND})
  set_tests_properties(${test}.long PROPERTIES LABELS long TIMEOUT 3600 SKIP_RETURN_CODE 77
                       ENVIRONMENT "${arg_ENVIRONMENT};OSMEM_TEST_LEVEL=long")
endfunction()

# osmem_add_test(NAME SOURCES... [LIBRARIES ...] [LABELS ...] [TIMEOUT SECONDS] [THREADED filter] [LONG_FORM])
# A GoogleTest program, registered with ctest as one test per TEST() so that a failure is named.
function(osmem_add_test name)
  cmake_parse_arguments(arg "LONG_FORM" "TIMEOUT;THREADED" "SOURCES;LIBRARIES;LABELS" ${ARGN})
  if(NOT BUILD_TESTING)
    return()
  endif()
  find_package(GTest REQUIRED)
  include(GoogleTest)
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE osmem_flags ${arg_LIBRARIES} GTest::gmock GTest::gtest
                                        GTest::gtest_main)
  osmem_test_program(${name})
  set(form "")
  if(arg_LONG_FORM)
    set(form LONG_FORM)
  endif()
  osmem_discover_tests(${name} ${name} LABELS ${arg_LABELS} TIMEOUT ${arg_TIMEOUT} THREADED ${arg_THREADED} ${form})
endfunction()
