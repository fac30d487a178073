#!/usr/bin/env bash
# How many instructions one CreateTap takes in user space: tests/bench/instructions.sh [FOLDER]
#
# Counts what bench_instructions of the build FOLDER (build/bench) does, with callgrind:
# once for 100 TAPs and once for 200, so that what comes once per process falls out.
# Fails if that is more than the budget in instructions.budget and a tenth. Unlike a
# time, the count is the same on a busy machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
program=${1:-build/bench}/tests/bench/bench_instructions
budget=$(<tests/bench/instructions.budget)
taps=100

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# count N: instructions of the whole process.
count() {
  valgrind --tool=callgrind --callgrind-out-file="$scratch/out" "$program" "$1" 2>"$scratch/log" ||
    { cat "$scratch/log" >&2 && return 1; }
  sed -n 's/^summary: \([0-9]*\).*/\1/p' "$scratch/out"
}

once=$(count "$taps")
twice=$(count $((2 * taps)))
each=$(((twice - once) / taps))
limit=$((budget + budget / 10))
echo "CreateTap: $each instructions in user space; the budget is $budget, and at most $limit"
if ((each <= 0 || each > limit)); then
  echo "over the budget: make it cheaper, or change tests/bench/instructions.budget and say why" >&2
  exit 1
fi
