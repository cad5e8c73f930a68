#!/usr/bin/env bash
# Installs what is missing, builds, and runs the tests of a level; ends with how many ran, passed and were skipped, and why.
# usage: scripts/test.sh [short|all|long]
#   short  the release build's tests in short form: everyday use (the default)
#   all    besides, what only AddressSanitizer, UndefinedBehaviorSanitizer and ThreadSanitizer see: continuous integration
#   long   besides, everything in full, for a night; writes results/tests.md
set -euo pipefail
cd "$(dirname "$0")/.."
level=${1:-short}
case $level in
  short) presets=(release) ;;
  all | long) presets=(asan tsan release) ;;
  -h | --help) sed -n '2,6s/^# //p' "$0"; exit 0 ;;
  *) printf 'test.sh: unknown level %s; known are short, all, long\n' "$level" >&2; exit 2 ;;
esac
[ $# -le 1 ] || { printf 'test.sh: one level at a time: short, all or long\n' >&2; exit 2; }

groups=(needed tests)
[ "$level" = short ] || groups+=(cross)
scripts/setup.sh "${groups[@]}"
filter=(--label-exclude '^long$')
[ "$level" != long ] || filter=()
reports=()
status=0
for preset in "${presets[@]}"; do
  printf '== %s: build\n' "$preset" >&2
  start=$SECONDS
  scripts/build.sh "$preset"
  built=$SECONDS
  printf '== %s: test\n' "$preset" >&2
  report=$PWD/build/$preset/tests.xml
  rm -f "$report"
  ctest --preset "$preset" --parallel "$(nproc)" "${filter[@]}" --output-junit "$report" || status=$?
  reports+=("$preset:$((built - start)):$((SECONDS - built)):$report")
done
record=()
[ "$level" != long ] || record=(--record results/tests.md)
python3 scripts/test_summary.py "$level" "${record[@]}" "${reports[@]}" || status=$?
exit "$status"
