#!/usr/bin/env bash
# One task of the array that submit.sh submits. usage: shard.sh OUT SHARDS BENCH_OPTION...
set -euo pipefail
out=$1
shards=$2
shift 2
folder=$out/shard-$SLURM_ARRAY_TASK_ID
status=0
if [ -e "$folder/run.json" ]; then # requeued after its node failed
  "$BENCH" --resume "$folder" || status=$?
else
  "$BENCH" run "--shard=$SLURM_ARRAY_TASK_ID/$shards" "--out=$folder" "$@" || status=$?
fi
# 3: some cells failed, which the joined run shows; the other shards are worth joining all the same.
[ "$status" -eq 3 ] || exit "$status"
