# Realistic workloads are modules: one shared object each in lib/workloads/, which the worker loads by name, so that
# a measured process holds only the library it measures. What cannot be built is recorded in missing.json.

find_package(PkgConfig REQUIRED)
set(realistic_module_dir ${PROJECT_BINARY_DIR}/lib/workloads CACHE INTERNAL "")
define_property(GLOBAL PROPERTY REALISTIC_MODULES BRIEF_DOCS "Names of the workload modules that are built")
define_property(GLOBAL PROPERTY REALISTIC_MISSING BRIEF_DOCS "JSON objects, one for each module not built")

# realistic_missing(NAME DEBIAN_PACKAGE): this workload is not built, for want of that package.
function(realistic_missing name package)
  message(STATUS "workload ${name}: not built, the Debian package ${package} is missing")
  set_property(GLOBAL APPEND PROPERTY REALISTIC_MISSING "{\"workload\": \"${name}\", \"package\": \"${package}\"}")
endfunction()

# realistic_module(NAME SOURCES ... [PKG_CONFIG MODULE... PACKAGE DEBIAN_PACKAGE])
# Builds lib/workloads/NAME.so when pkg-config knows every MODULE; else records NAME and DEBIAN_PACKAGE as missing.
# Sets realistic_NAME_built in the caller's scope.
function(realistic_module name)
  cmake_parse_arguments(arg "" "PACKAGE" "SOURCES;PKG_CONFIG" ${ARGN})
  set(realistic_${name}_built FALSE PARENT_SCOPE)
  set(libraries)
  foreach(module IN LISTS arg_PKG_CONFIG)
    string(MAKE_C_IDENTIFIER "REALISTIC_${module}" prefix)
    pkg_check_modules(${prefix} QUIET IMPORTED_TARGET GLOBAL ${module})
    if(NOT ${prefix}_FOUND)
      realistic_missing(${name} ${arg_PACKAGE})
      return()
    endif()
    list(APPEND libraries PkgConfig::${prefix})
  endforeach()

  set(target realistic_${name})
  add_library(${target} MODULE ${arg_SOURCES})
  # Workload and Registration stay undefined here: the executable that loads the module exports them.
  target_link_libraries(${target} PRIVATE osmem_flags ${libraries})
  set_target_properties(${target} PROPERTIES PREFIX "" OUTPUT_NAME ${name} CXX_VISIBILITY_PRESET hidden
                        LIBRARY_OUTPUT_DIRECTORY ${realistic_module_dir})
  install(TARGETS ${target} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/workloads)
  set_property(GLOBAL APPEND PROPERTY REALISTIC_MODULES ${name})
  set(realistic_${name}_built TRUE PARENT_SCOPE)
endfunction()

# Writes lib/workloads/missing.json: an array, empty when nothing is missing.
function(realistic_write_missing)
  get_property(missing GLOBAL PROPERTY REALISTIC_MISSING)
  list(JOIN missing ",\n  " rows)
  if(rows)
    set(rows "\n  ${rows}\n")
  endif()
  file(CONFIGURE OUTPUT ${realistic_module_dir}/missing.json CONTENT "[@rows@]\n" @ONLY)
  install(FILES ${realistic_module_dir}/missing.json DESTINATION ${CMAKE_INSTALL_LIBDIR}/workloads)
endfunction()
