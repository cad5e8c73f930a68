#!/usr/bin/env bash
# Records the traces of workloads/trace/shipped again; builds the release preset first where it is not there.
# usage: scripts/record_traces.sh [--large] [NAME...] [--out FOLDER] [--build FOLDER]     (--help lists the names; record_traces.py does it)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

python=
for candidate in /usr/bin/python3 python3; do
  if command -v "$candidate" > /dev/null && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  echo "record_traces.sh: needs Python 3.10 or later: apt-get install python3" >&2
  exit 2
fi

case " $* " in
  *" --build"* | *" --help "* | *" -h "*) ;;
  *) [ -x "$root/build/release/bin/bench" ] || { "$root/scripts/setup.sh" needed; "$root/scripts/build.sh" release workbench; } ;;
esac
exec "$python" "$root/scripts/record_traces.py" "$@"
