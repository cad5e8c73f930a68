#!/usr/bin/env bash
# Joins the shards once the array of submit.sh has ended. usage: merge.sh OUT
set -euo pipefail
exec "$BENCH" merge "$1"/shard-* --out "$1/merged"
