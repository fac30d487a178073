#!/usr/bin/env bash
# The tables of docs/benchmarks.md, from what tests/bench/run.sh left in FOLDER:
#
#   tests/bench/report.sh [--quick] FOLDER
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# As in bench.h.
hundred=100 thousand=1000 few=100 many=4000 all=10000
[[ $1 != --quick ]] || { hundred=20 thousand=50 few=20 many=50 all=100 && shift; }
folder=$1

echo "Measured on $(date --utc --iso-8601): $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)," \
  "$(nproc) cores, Linux $(uname -r), $(. /etc/os-release && echo "$PRETTY_NAME")," \
  "at $(git describe --always --dirty)."
echo
awk -v hundred="$hundred" -v thousand="$thousand" -v few="$few" -v many="$many" -v all="$all" -f tests/bench/report.awk "$folder/results.csv"
echo "### The pure parts"
echo
echo "| what | time |"
echo "|---|---|"
sed -n 's/^"\([^"]*\)",[0-9]*,[^,]*,\([0-9.e+]*\),ns,.*/\1 \2/p' "$folder/micro.csv" |
  awk '{ printf "| %s | %.0f ns |\n", $1, $2 }'
echo
cat "$folder/instructions.txt"
