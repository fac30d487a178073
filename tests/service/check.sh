# shellcheck shell=bash
# What tests/service/run.sh and those like it count with. Sourced by who has made
# $scratch/nothing, a pipe that nothing is ever written to.
#
# shellcheck disable=SC2154 # see there

step() { echo "==> $1"; }

passed=0 failed=0
# check WHAT COMMAND...: whether it succeeds; what it prints is shown if it does not.
check() {
  local what=$1 output
  shift
  if output=$("$@" 2>&1); then
    passed=$((passed + 1)) && echo "passed: $what"
  else
    failed=$((failed + 1)) && printf 'FAILED: %s\n%s\n' "$what" "$output"
  fi
}

# The last line; fails if a check has.
check_summary() {
  echo "$passed passed, $failed failed"
  [[ $failed -eq 0 ]]
}

# until_true SECONDS COMMAND...: asks again until it succeeds.
until_true() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [[ $SECONDS -lt $end ]] || { echo "not in time: $*" && return 1; }
    read -r -t 0.1 <>"$scratch/nothing" || true
  done
}
