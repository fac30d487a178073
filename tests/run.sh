#!/usr/bin/env bash
# Builds and runs every test: sudo tests/run.sh [--soak] [--only REGEX]
#
#   --soak        what is in short in every run, in full: takes hours
#   --only REGEX  only the tests whose names match, as ctest -R has it
#
# Installs what it needs (Debian 12). Keeps what it builds in build/. The last lines
# are ctest's summary.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tests/packages.sh

only=.
export SVNET_SOAK=
while [[ $# -gt 0 ]]; do
  case $1 in
    --soak) SVNET_SOAK=1 ;;
    --only) only=${2:?--only takes a regular expression} && shift ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
  esac
  shift
done

if [[ $EUID -ne 0 ]]; then
  echo "this needs root, for network namespaces and callers of several uids: sudo $0" >&2
  exit 1
fi

step() { echo "==> $1"; }

# What takes too long with sanitizers, and shows nothing more.
unsanitized='Guests/|AThousandGuests|PortsRunOut|FaultTest'

step "packages"
install_packages "${BUILD_PACKAGES[@]}" "${GUEST_PACKAGES[@]}" "${TEST_PACKAGES[@]}" \
  "${COUNT_PACKAGES[@]}"

step "source: format, shell scripts, layers"
mapfile -t sources < <(find daemon client tests docs/clients/cpp -name '*.cc' -o -name '*.h')
clang-format --dry-run -Werror "${sources[@]}"
mapfile -t scripts < <(grep -rlE '^#!.*sh$' tests docs systemd .ci)
shellcheck -x "${scripts[@]}"
tests/layers.sh

# configure_and_build PRESET [TARGET...]: quiet, unless it fails.
configure_and_build() {
  local preset=$1 log=build/$1.log
  shift
  mkdir -p build
  if ! { cmake --preset "$preset" && cmake --build --preset "$preset" ${1:+--target "$@"}; } \
    >"$log" 2>&1; then
    grep -E 'error|Error|FAILED' -A 5 "$log" >&2 || tail -50 "$log" >&2
    return 1
  fi
}

step "build: clang, with its thread-safety analysis"
configure_and_build clang svnetd svnetctl

# run_tests PRESET REGEX [ARGUMENT...]: prints ctest's summary, or what failed.
run_tests() {
  local preset=$1 regex=$2 log=build/$1.ctest.log
  shift 2
  ctest --preset "$preset" -j "$(nproc)" -R "$regex" "$@" --quiet --output-log "$log" || {
    grep -E 'Failed|\(Failed\)|\*\*\*' "$log" >&2
    tail -200 "$log" >&2
    return 1
  }
  grep 'tests passed' "$log"
}

step "build"
configure_and_build dev

step "firewalld and ufw"
tests/firewalls/build.sh build/firewalls

step "build: AddressSanitizer, UndefinedBehaviorSanitizer"
configure_and_build asan daemon_unit_test client_unit_test kernel_test svnetd svnetctl
step "tests: unit and kernel with these sanitizers, and svnetd with them"
run_tests asan "^(daemon_unit_test|client_unit_test|kernel_test)\."
SVNET_UNDER_TEST=$PWD/build/asan run_tests dev "^system_test\." --exclude-regex "$unsanitized"

# Three times, because of what tests/tsan.supp says: gRPC is not instrumented, and now and
# then a new one of its own hand-overs is taken for a race.
step "build: ThreadSanitizer"
configure_and_build tsan svnetd svnetctl
step "tests: svnetd with that sanitizer"
SVNET_UNDER_TEST=$PWD/build/tsan \
  TSAN_OPTIONS=ignore_noninstrumented_modules=1:suppressions=/mnt/source/tests/tsan.supp \
  run_tests dev "^system_test\." --repeat until-pass:3 --exclude-regex "$unsanitized"

step "build: fuzzers"
configure_and_build fuzz alias_fuzz calls_fuzz config_fuzz requests_fuzz text_fuzz
step "tests: each fuzzer for a while"
run_tests fuzz "^fuzz\."

step "instructions of a CreateTap"
configure_and_build bench bench_instructions
tests/bench/instructions.sh build/bench

step "clients in C++, Python, TypeScript and Go"
tests/clients/run.sh build/dev
step "the commands in README.md and docs"
tests/docs/run.sh build/dev
step "the packages, on a systemd in a container"
tests/service/run.sh
step "guests"
tests/guests/build.sh build/guests
step "tests"
ctest --preset dev -j 2 -R "$only"
