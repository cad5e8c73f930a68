#!/usr/bin/env bash
# Installs what is missing, builds the release preset and runs bench with the arguments given.
# usage: scripts/bench.sh --allocator=osmem        (see `scripts/bench.sh --help` for bench's own options)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

"$root/scripts/setup.sh"
"$root/scripts/build.sh" release
exec "$root/build/release/bin/bench" "$@"
