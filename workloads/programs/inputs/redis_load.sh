#!/usr/bin/env bash
# Loads a redis server through its socket: values of several sizes, lists, hashes, sorted sets, deletions by expiry.
# Prints "requests per second: N" over all requests. usage: redis_load.sh SOCKET [REQUESTS OF EACH KIND]
set -euo pipefail
socket=${1:?the socket of a redis server}
requests=${2:-40000}

load() { # SIZE TESTS -> one line of CSV for each test
  redis-benchmark -s "$socket" -n "$requests" -c 20 -P 8 -r 50000 -d "$1" -t "$2" -q --csv
}

redis-cli -s "$socket" flushall >/dev/null
{
  load 64 set,get,incr
  load 600 set,get,lpush,rpop,sadd,hset,zadd
  load 4000 set,get
} | tr -d '"' | awk -F, '
  $2 + 0 > 0 { seconds_per_request += 1 / $2; kinds++ }
  END { if (kinds != 12) exit 1; printf "requests per second: %.0f\n", kinds / seconds_per_request }'
