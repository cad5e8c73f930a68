#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test: the sanitizer builds first, the release build last,
# so that the output ends with ctest's summary of the largest suite.
# usage: scripts/test.sh [PRESET...]      default: asan tsan release
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- asan tsan release

scripts/setup.sh
status=0
for preset in "$@"; do
  printf '== %s: build\n' "$preset" >&2
  scripts/build.sh "$preset"
  printf '== %s: test\n' "$preset" >&2
  ctest --preset "$preset" --parallel "$(nproc)" || status=$?
done
exit "$status"
