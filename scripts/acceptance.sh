#!/usr/bin/env bash
# Can bench's verdicts be believed on this machine? Measures and writes results/acceptance/. See scripts/acceptance.py --help.
# usage: scripts/acceptance.sh [--minutes=M] [--repetitions=N] [--out=DIR]
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1:-} in -h | --help) exec /usr/bin/env python3 scripts/acceptance.py --help ;; esac
cmake --build --preset release --target bench bench-worker osmem fixture_slowed_00 fixture_slowed_20 fixture_slowed_50 >&2
exec python3 scripts/acceptance.py "$@"
