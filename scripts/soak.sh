#!/usr/bin/env bash
# Runs real programs under glibc's malloc, libosmem.so and libosmem-hardened.so, compares what they put out with what they put out
# under glibc, and prints a Markdown table: outcome, peak RSS and page faults of the heaviest process, from /proc.
#
# usage: scripts/soak.sh [MINUTES]     default 10; SOAK_LIB: folder of the libraries (build/release/lib)
#                                      SOAK_ONLY: names, separated by spaces; default all
# Programs that are not installed are named with their package; scripts/setup.sh soak installs them.
# Exit 1: a program ended otherwise, or put out something else, than under glibc.
set -euo pipefail
exec python3 "$(dirname "$0")/soak.py" "$@"
