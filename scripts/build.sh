#!/usr/bin/env bash
# Configures (once) and builds one preset; prints nothing but progress and errors.
# usage: scripts/build.sh PRESET [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:?a preset: release, debug, asan or tsan}
shift

if [ ! -f "build/$preset/build.ninja" ]; then
  printf 'build: configuring %s\n' "$preset" >&2
  cmake --preset "$preset" >"/tmp/osmem-configure.$$" 2>&1 ||
    { cat "/tmp/osmem-configure.$$" >&2; rm -f "/tmp/osmem-configure.$$"; rm -f "build/$preset/build.ninja"; exit 1; }
  rm -f "/tmp/osmem-configure.$$"
fi
targets=()
[ $# -eq 0 ] || targets=(--target "$@")
cmake --build --preset "$preset" "${targets[@]}" >&2
