#!/usr/bin/env bash
# Makes a repository with a history of small edits, moves and copies. usage: git_history.sh DIRECTORY
set -euo pipefail
rm -rf "${1:?a directory}"
git init --quiet --bare --initial-branch=main "$1"
awk '
  function draw(limit) { state = (state * 16807) % 2147483647; return state % limit }
  function emit(text) { printf "data %d\n%s\n", length(text), text }
  BEGIN {
    state = 20240301
    for (commit = 1; commit <= 500; commit++) {
      printf "commit refs/heads/main\ncommitter A Person <person@example.org> %d +0000\n", 1700000000 + commit * 60
      emit("change " commit)
      for (edit = 0; edit < 3; edit++) {
        file = draw(60)
        for (i = 0; i < 4; i++) line[file, draw(120)] = "value_" draw(100000) " = compute(" draw(1000) ", \"" draw(50) "\");"
        text = ""
        for (i = 0; i < 120; i++) text = text ((file, i) in line ? line[file, i] : "// line " i " of file " file) "\n"
        printf "M 100644 inline source/module_%d/file_%d.c\n", file % 7, file
        emit(text)
      }
      if (commit % 50 == 0) printf "R source/module_%d/file_%d.c archive/file_%d_%d.c\n", file % 7, file, file, commit
      print ""
    }
  }' | git -C "$1" fast-import --quiet
