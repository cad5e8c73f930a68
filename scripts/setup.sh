#!/usr/bin/env bash
# Installs the Debian packages of packages.txt that are missing; with nothing missing, it only looks.
# usage: scripts/setup.sh GROUP...      groups: needed tests hosts cross soak
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

[ $# -gt 0 ] || { sed -n '3s/^# //p' "$0" >&2; exit 2; }
wanted=
for group in "$@"; do
  of_group=$(awk -v group="[$group]" '/^\[/ {is_in = $0 == group; next} is_in && !/^[[:space:]]*(#|$)/' "$here/packages.txt")
  [ -n "$of_group" ] || { printf 'setup: unknown group %s; known are needed, tests, hosts, cross, soak\n' "$group" >&2; exit 2; }
  wanted+=$of_group$'\n'
done
# shellcheck disable=SC2086  # one word a package
present=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null | sed -n 's/^installed //p' || true)
missing=$(comm -23 <(sort -u <<<"$wanted") <(sort -u <<<"$present"))
if [ -z "$missing" ]; then
  "$here/setup_page.sh"
  exit 0
fi

if ! command -v apt-get >/dev/null; then
  printf 'setup: no apt-get here; install the equivalents of these Debian packages, then call again:\n%s\n' "$missing" >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { printf 'setup: as root, run: apt-get install %s\n' "$(paste -sd' ' <<<"$missing")" >&2; exit 1; }
  as_root=(sudo)
fi
printf 'setup: installing %s\n' "$(paste -sd' ' <<<"$missing")" >&2
"${as_root[@]}" apt-get update -qq >&2
# shellcheck disable=SC2086
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2
# What was configured without these packages lacks what needs them.
rm -f "$here"/../build/*/build.ninja
"$here/setup_page.sh"
