#!/usr/bin/env bash
# Installs with npm, as package-lock.json pins it, what the page of `bench report` is built from; with nothing missing, it only looks.
# Without npm or a network it says so: bench is then built without that page.
# usage: scripts/setup_page.sh
set -euo pipefail
cd "$(dirname "$0")/../bench/output/page"

[ ! -f node_modules/.package-lock.json ] || [ node_modules/.package-lock.json -ot package-lock.json ] || exit 0
if ! command -v npm >/dev/null; then
  printf 'setup: no npm, so bench report will not be built; install it (apt-get install npm), then call again\n' >&2
  exit 0
fi
printf 'setup: installing the libraries of the report page (npm ci)\n' >&2
if ! npm ci --no-progress --loglevel=error >&2; then
  printf 'setup: npm ci failed, so bench report will not be built; call again with a network\n' >&2
  exit 0
fi
touch node_modules/.package-lock.json
# What was configured without it lacks the page.
rm -f ../../../build/*/build.ninja
