#!/usr/bin/env bash
# Submits a run of bench to Slurm: a job array, a shard a task, and a job that joins the shards once all have ended.
# usage: scripts/slurm/submit.sh SHARDS OUT [SBATCH_OPTION...] -- BENCH_OPTION...
# OUT is a new folder that all nodes see: OUT/shard-I for each shard, OUT/merged for the whole, OUT/log for what they said.
# The nodes have to be alike (--constraint): shards of unlike hosts make no whole. BENCH names a bench other than this tree's.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

usage() { printf 'submit: %s\n' "$1" >&2; sed -n '3s/^# //p' "$0" >&2; exit 2; }

[ $# -ge 3 ] || usage 'say how many shards, where results go, and after -- what to measure'
shards=$1
out=$2
shift 2
[[ $shards =~ ^[1-9][0-9]{0,4}$ ]] || usage "SHARDS must be a whole number from 1, not '$shards'"
options=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do options+=("$1"); shift; done
[ "${1-}" = -- ] || usage 'the options of bench stand after --'
shift
[ $# -gt 0 ] || usage 'after -- stands what to measure, such as --allocator=osmem --suite=standard'
for word in "$@"; do
  case $word in
    --out | --out=* | --shard | --shard=* | --resume | --resume=*) usage "${word%%=*} is set here: leave it out" ;;
  esac
done
command -v sbatch >/dev/null || { printf 'submit: no sbatch here; run this where Slurm is, or: apt-get install slurm-client\n' >&2; exit 2; }
export BENCH=${BENCH:-$here/../../build/release/bin/bench}
[ -x "$BENCH" ] || { printf 'submit: no bench at %s; run scripts/build.sh first, or set BENCH\n' "$BENCH" >&2; exit 2; }
BENCH=$(realpath "$BENCH")
[ ! -e "$out" ] || { printf 'submit: %s is there already; choose a new folder\n' "$out" >&2; exit 2; }
mkdir -p "$out/log"
out=$(realpath "$out")

# A whole node a task: a neighbour would be measured, too.
array=$(sbatch --parsable --job-name=bench --array="1-$shards" --exclusive --export=ALL --output="$out/log/shard-%a.txt" \
  "${options[@]}" "$here/shard.sh" "$out" "$shards" "$@")
array=${array%%;*}
merge=$(sbatch --parsable --job-name=bench-merge --dependency="afterok:$array" --kill-on-invalid-dep=yes --export=ALL \
  --output="$out/log/merge.txt" "${options[@]}" "$here/merge.sh" "$out")
printf 'job %s measures %s shards, job %s joins them into %s/merged\n' "$array" "$shards" "${merge%%;*}" "$out"
