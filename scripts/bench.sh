#!/usr/bin/env bash
# Installs what is missing, builds what bench needs and runs bench with the arguments given.
# usage: scripts/bench.sh --allocator=osmem        (see `scripts/bench.sh --help` for bench's own options)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

targets=(workbench)
case ${1-} in
  -h | --help) targets=(bench) ;; # its help needs no workloads
esac
"$root/scripts/setup.sh" needed
"$root/scripts/build.sh" release "${targets[@]}"
exec "$root/build/release/bin/bench" "$@"
