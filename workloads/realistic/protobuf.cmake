# The protobuf workload: the compiler of messages beside the library.
find_program(PROTOC protoc)
if(PROTOC)
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/trace_report.pb)
  add_custom_command(
    OUTPUT ${generated}.cc ${generated}.h
    COMMAND ${PROTOC} --proto_path=${CMAKE_CURRENT_SOURCE_DIR} --cpp_out=${CMAKE_CURRENT_BINARY_DIR} trace_report.proto
    DEPENDS trace_report.proto VERBATIM)
  # Generated code is not held to this project's warnings.
  set_source_files_properties(${generated}.cc PROPERTIES COMPILE_OPTIONS -w)
  realistic_module(protobuf SOURCES protobuf.cpp ${generated}.cc PKG_CONFIG protobuf PACKAGE libprotobuf-dev)
  if(realistic_protobuf_built)
    target_include_directories(realistic_protobuf SYSTEM PRIVATE ${CMAKE_CURRENT_BINARY_DIR})
  endif()
else()
  realistic_missing(protobuf protobuf-compiler)
endif()
