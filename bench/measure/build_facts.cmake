# cmake -D SOURCE= -D TEMPLATE= -D OUTPUT= -D COMPILER= -D FLAGS= -D BUILD_TYPE= -P build_facts.cmake
# Writes OUTPUT only if it changes, so that a new commit alone rebuilds one file.
execute_process(COMMAND git -C ${SOURCE} rev-parse HEAD OUTPUT_VARIABLE COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE
                ERROR_QUIET RESULT_VARIABLE no_git)
set(DIRTY false)
if(no_git)
  set(COMMIT unknown)
else()
  execute_process(COMMAND git -C ${SOURCE} status --porcelain --untracked-files=no OUTPUT_VARIABLE changes ERROR_QUIET)
  if(changes)
    set(DIRTY true)
  endif()
endif()
configure_file(${TEMPLATE} ${OUTPUT} @ONLY)
