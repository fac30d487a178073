#!/usr/bin/env bash
# Tests that the pages (README.md, docs/*.md) are true: sudo tests/docs/run.sh [BUILD [PAGE...]]
#
# BUILD is where svnetd is built (build/dev). What a fence says of its block:
#
#   sh       is run. Lines with a prompt ("alice$ ", "root# ") are commands of that user;
#            without any, the block is a script of root's. Lines after a command are what it
#            prints, loosely: blanks are alike, "..." is anything, there may be more.
#            A command fails as it should if "(exit code N)" follows.
#   console  cannot be run here, and is listed
#   bash, cmake, cpp, go, proto, python, ts
#            stands, word for word, in a file that another test builds or runs
#   any other, or none: is only shown
#
# Each page is run from top to bottom on a host of its own: network, /etc and /run are scratch
# ones, svnetd is running, alice is in the group svnet, and systemctl can restart svnetd. The
# default route leads by eth0 to a router, 203.0.113.1, which answers pings.
# Ends with "N passed, N failed".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source tests/packages.sh

if [[ $EUID -ne 0 ]]; then
  echo "this needs root, for network namespaces: sudo $0" >&2
  exit 1
fi
svnet=$(realpath "${1:-build/dev}")
for program in "$svnet/daemon/svnetd" "$svnet/client/svnetctl"; do
  [[ -x $program ]] || { echo "there is no $program: build it first" >&2 && exit 1; }
done
pages=("${@:2}")
[[ ${#pages[@]} -gt 0 ]] || pages=(README.md docs/*.md)

install_packages python3 git iproute2 nftables qemu-system-x86

results=$(mktemp)
trap 'rm -f "$results"' EXIT
# record WHAT COMMAND...: a command that fails without saying FAILED is a failure, too.
record() {
  local before
  before=$(grep -c '^FAILED ' "$results" || true)
  if ! "${@:2}" 2>&1 | tee -a "$results" && [[ $(grep -c '^FAILED ' "$results") -eq $before ]]; then
    echo "FAILED  $1" | tee -a "$results"
  fi
}

record excerpts python3 -B tests/docs/excerpts.py
record reasons python3 -B tests/docs/reasons.py
record links python3 -B tests/docs/links.py
record monitoring python3 -B tests/docs/monitoring.py
for page in "${pages[@]}"; do
  record "$page" timeout --foreground --kill-after=5 600 \
    unshare --net --mount --pid --fork --mount-proc --kill-child \
    tests/docs/sandbox.sh "$svnet" "$page"
  awk -v page="$page" '/^```console/ { print "not run " page ":" NR + 1 }' "$page"
done

passed=$(grep -c '^ok ' "$results" || true)
failed=$(grep -c '^FAILED ' "$results" || true)
echo "$passed passed, $failed failed"
[[ $failed -eq 0 ]]
