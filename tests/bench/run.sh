#!/usr/bin/env bash
# Measures svnetd against the floor and its peers: sudo tests/bench/run.sh [--quick] [--publish]
#
#   --quick    a minute, which shows that all of it works; the figures mean little
#   --publish  puts tables and plots into docs/benchmarks.md
#
# The svnetd that is measured is that of the build folder in SVNET_UNDER_TEST, or else
# one that is built here, as it is shipped. Installs what it needs (Debian 12). Leaves in
# build/bench: results.csv, report.md, the plots. The last lines are the targets: a missed
# one fails nothing. Everything happens in namespaces; with the run they are gone.
# What a change costs against the version before it: versions.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source tests/packages.sh

quick=()
publish=
while [[ $# -gt 0 ]]; do
  case $1 in
    --quick) quick=(--quick) ;;
    --publish) publish=1 ;;
    *) sed -n '2,10s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
  esac
  shift
done

if [[ $EUID -ne 0 ]]; then
  echo "this needs root, for network namespaces and callers of several uids: sudo $0" >&2
  exit 1
fi

step() { echo "==> $1"; }

step "packages"
install_packages "${BUILD_PACKAGES[@]}" "${GUEST_PACKAGES[@]}" "${BENCH_PACKAGES[@]}"

step "udev"
tests/unpack.sh build/udev udev

step "build"
programs=(data_path restart callers taps scale crowded)
build=build/bench
results=$build/results.csv
mkdir -p build
if ! { cmake --preset bench && cmake --build --preset bench; } >build/bench.log 2>&1; then
  tail -50 build/bench.log >&2
  exit 1
fi

# What a program leaves behind goes with its namespaces: processes, too. unshare(1) heeds
# no signal but this one.
child=
trap '[[ -z $child ]] || kill -KILL "$child"' EXIT
trap 'exit 130' INT TERM

rm -f "$results"
for program in "${programs[@]}"; do
  step "measure: $program"
  unshare --net --mount --pid --fork --mount-proc --kill-child \
    "$build/tests/bench/bench_$program" ${quick[@]+"${quick[@]}"} "$results" &
  child=$!
  wait "$child"
  child=
done

step "measure: the pure parts"
"$build/tests/bench/bench_micro" --benchmark_min_time="$([[ -n ${quick[*]-} ]] && echo 0.01 || echo 0.2)" \
  --benchmark_format=csv 2>/dev/null >"$build/micro.csv"

step "count instructions"
tests/bench/instructions.sh "$build" | tee "$build/instructions.txt"

step "report"
tests/bench/report.sh ${quick[@]+"${quick[@]}"} "$build" >"$build/report.md"
gnuplot -e "results='$results'; folder='$build'; hundred=$([[ -n ${quick[*]-} ]] && echo 20 || echo 100)" \
  tests/bench/plots.gnuplot
[[ -z $publish ]] || tests/bench/publish.sh "$build"
sed -n '/^| target/,/^$/p' "$build/report.md"
