#!/usr/bin/env bash
# What a change costs: sudo tests/bench/versions.sh [--quick] BEFORE
#
#   BEFORE  the svnetd of the version before, built as this one is here:
#             git worktree add --detach ../before COMMIT
#             cd ../before && cmake --preset bench && cmake --build --preset bench --target svnetd
#
# Both run at the same time, take turns in short rounds, and the ratio is the median of the
# rounds' own: it means something on a busy machine, too. Needs what tests/bench/run.sh
# installs. The results are in build/bench/versions.csv as well.
set -euo pipefail

quick=()
if [[ ${1-} == --quick ]]; then
  quick=(--quick)
  shift
fi
if [[ $# -ne 1 || $EUID -ne 0 ]]; then
  sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
before=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=build/bench

cmake --preset bench >/dev/null
cmake --build --preset bench --target svnetd bench_versions >"$build/versions.log" 2>&1 || {
  tail -50 "$build/versions.log" >&2
  exit 1
}
rm -f "$build/versions.csv"
# What it leaves behind goes with its namespaces: processes, too.
exec unshare --net --mount --pid --fork --mount-proc --kill-child \
  "$build/tests/bench/bench_versions" ${quick[@]+"${quick[@]}"} \
  "$build/versions.csv" "$before" "$build/daemon/svnetd"
