#!/usr/bin/env bash
# Builds and runs tests: sudo tests/run.sh [STAGE] [--soak] [--only REGEX]
#
#   quick       source format, shell scripts, layers, and the unit tests: what to run after
#               each change. Needs no root and installs nothing.
#   kernel      the tests of what talks to the kernel
#   system      the tests of svnetd and svnetctl as processes, with guests
#   sanitizers  clang's thread-safety analysis; clang-tidy on what has changed (tests/tidy.sh);
#               the fuzzers; the unit, kernel and system tests with sanitizers; the number of
#               instructions
#   packages    the Debian packages, on a systemd in a container
#   hosts       the packages on Debian 12's own kernel, in QEMU; with --soak all their tests and
#               those of the kernel there, and quick and the packages on Debian 13
#   docs        the example clients, and the commands in README.md and docs
#   all         everything (the default)
#
#   --soak        run in full what every run does in short: takes hours
#   --only REGEX  build the preset dev and run only the tests whose names match, as ctest -R
#                 has it; with a STAGE, only those of its tests
#
# All stages but quick install the packages that they need (Debian 12). What is built is kept in
# build/. The last lines are ctest's summary, but for packages, hosts and docs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tests/packages.sh

usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; }

stage='' only=''
export SVNET_SOAK=
while [[ $# -gt 0 ]]; do
  case $1 in
    --soak) SVNET_SOAK=1 ;;
    --only) only=${2:?--only takes a regular expression} && shift ;;
    quick | kernel | system | sanitizers | packages | hosts | docs | all)
      [[ -z $stage ]] || { usage >&2 && exit 2; }
      stage=$1
      ;;
    --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift
done

# Half of the time of a system test is waiting, for the kernel or for others.
test_jobs=$(($(nproc) * 3 / 2))

needs_root() {
  [[ $EUID -ne 0 ]] || return 0
  echo "this needs root, for network namespaces and callers of several uids: sudo $0 $stage" >&2
  exit 1
}

# step NAME: what comes now, and how long the step before it took.
step_start=''
step() {
  [[ -z $step_start ]] || echo "    took $((SECONDS - step_start)) s; $((SECONDS / 60)) min in all"
  step_start=$SECONDS
  echo "==> $1"
}

# Tests that take too long with sanitizers, and show nothing more with them.
unsanitized='RealGuest|CapacityTest|AThousandGuests|PortsRunOut|FaultTest|FairnessTest|FloodTest'

install_needed() {
  needs_root
  step "packages"
  install_packages "${BUILD_PACKAGES[@]}" "${GUEST_PACKAGES[@]}" "${TEST_PACKAGES[@]}" \
    "${COUNT_PACKAGES[@]}"
}

# Says which programs are missing; the libraries are cmake's to miss.
check_programs() {
  local program missing=()
  for program in cmake ninja c++ pkg-config protoc grpc_cpp_plugin clang-format shellcheck; do
    command -v "$program" >/dev/null || missing+=("$program")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0
  echo "missing: ${missing[*]}. The packages are listed in tests/packages.sh;" \
    "\"sudo tests/run.sh kernel\" installs them." >&2
  return 1
}

# in_parallel COMMAND...: for what is named on stdin, a few at a time.
in_parallel() { xargs -d '\n' -P "$(nproc)" -n 24 "$@"; }

check_source() {
  step "source: format, shell scripts, layers"
  # Each version has its own idea of some lines.
  if [[ $(clang-format --version) == *' version 14.'* ]]; then
    find daemon client tests docs/clients/cpp -name '*.cc' -o -name '*.h' |
      in_parallel clang-format --dry-run -Werror
  else
    echo "    the format is not checked: that takes clang-format 14, Debian 12's"
  fi
  grep -rlE '^#!.*sh$' tests docs systemd .ci | in_parallel shellcheck -x
  tests/layers.sh
}

# configure_and_build PRESET [TARGET...]: quiet, unless it fails.
configure_and_build() {
  local preset=$1 log=build/$1.log
  shift
  mkdir -p build
  if [[ ! -w build || (-e build/$preset && ! -w build/$preset) ]]; then
    echo "build/$preset belongs to another user: remove it, or run this with sudo" >&2
    return 1
  fi
  rm -f "$log"
  if ! { cmake --preset "$preset" && cmake --build --preset "$preset" ${1:+--target "$@"}; } \
    >"$log" 2>&1; then
    grep -E 'error:|Error |FAILED:' -A 5 "$log" >&2 || tail -50 "$log" >&2
    return 1
  fi
}

# run_tests PRESET [ARGUMENT...]: prints ctest's summary, or what failed.
run_tests() {
  local preset=$1 log=build/$1.ctest.log
  shift
  ctest --preset "$preset" -j "$test_jobs" "$@" ${only:+-R "$only"} --quiet --output-log "$log" || {
    grep -E 'Failed|\(Failed\)|\*\*\*|No tests' "$log" >&2
    tail -200 "$log" >&2
    return 1
  }
  grep -E 'tests passed|No tests' "$log"
}

# show_tests [ARGUMENT...]: those of the preset dev; prints what each of them does.
show_tests() {
  ctest --preset dev -j "$test_jobs" --no-label-summary --no-tests=error "$@" ${only:+-R "$only"}
}

# count_tests ARGUMENT...: how many of the preset dev these are.
count_tests() {
  ctest --preset dev -N "$@" ${only:+-R "$only"} | sed -n 's/^Total Tests: //p'
}

# Daemons of others, which are only unpacked.
prepare_others() {
  step "firewalld, ufw, BIRD, FRR"
  tests/firewalls/build.sh build/firewalls
  tests/unpack.sh build/routing bird2 libssh-gcrypt-4 frr libyang2
}

prepare_udev() {
  step "udev"
  tests/unpack.sh build/udev udev
}

prepare_guests() {
  step "guests"
  tests/guests/build.sh build/guests
}

run_quick() {
  check_programs
  [[ -n $only ]] || check_source
  step "build: unit tests"
  configure_and_build dev daemon_unit_test client_unit_test
  step "tests: unit"
  run_tests dev -L '^unit$' --no-tests=error
}

run_kernel() {
  install_needed
  step "build: kernel tests"
  configure_and_build dev kernel_test gate_test
  prepare_udev
  step "tests: kernel"
  show_tests -L '^kernel$'
}

run_system() {
  install_needed
  step "build: system tests"
  configure_and_build dev system_test svnetd svnetctl
  prepare_others
  prepare_udev
  prepare_guests
  step "tests: system"
  show_tests -L '^system$'
}

# One build for all that clang has for us.
build_with_clang() {
  step "build: clang, with its thread-safety analysis, sanitizers of addresses and of undefined behaviour, and the fuzzers"
  configure_and_build clang svnetd svnetctl daemon_unit_test client_unit_test kernel_test gate_test \
    alias_fuzz calls_fuzz config_fuzz create_taps_fuzz gate_fuzz http_fuzz netlink_fuzz \
    probe_fuzz requests_fuzz text_fuzz
}

check_with_tidy() {
  step "clang-tidy"
  tests/tidy.sh ${SVNET_SOAK:+--all}
}

run_fuzzers() {
  step "tests: each fuzzer for a while"
  run_tests clang -L '^fuzz$'
}

# Of what guests send svnetd sees nothing, and what a holder does is said of both kinds alike.
run_address_sanitizer() {
  step "tests: unit and kernel with these sanitizers, and svnetd with them"
  run_tests clang -L '^(unit|kernel)$'
  SVNET_UNDER_TEST=$PWD/build/clang \
    run_tests dev -L '^system$' --exclude-regex "$unsanitized|EachAttackTest|HolderActionTest.*_bridge"
}

# svnetd itself: in its gates is gRPC, which Debian builds without it, and nobody reads there what
# is found. What threads share does not depend on the kind of network: one of them is enough. Nor
# does it on each row of the long tables of what a guest, a holder or the doctor may do, nor on what
# svnetctl says, which has no threads of svnetd's, nor on what the rules do with a clone's packets.
run_thread_sanitizer() {
  step "build: ThreadSanitizer"
  configure_and_build tsan svnetd
  install -D build/dev/client/svnetctl build/tsan/client/svnetctl  # which is not looked at
  step "tests: svnetd with that sanitizer"
  SVNET_UNDER_TEST=$PWD/build/tsan \
    TSAN_OPTIONS=ignore_noninstrumented_modules=1 \
    run_tests dev -L '^system$' --exclude-regex "$unsanitized|[/_]routed|HolderActionTest|EachAttackTest|Doctor|Svnetctl|CloneTest"
}

count_instructions() {
  step "instructions of a CreateTap"
  # Of what is shipped, and what is built for that is not built again for the packages.
  cmake --preset release -D SVNET_BENCH=ON >/dev/null
  configure_and_build release bench_instructions bench_micro
  tests/bench/instructions.sh build/release
}

# What the stage does when the preset dev is built, and what is unpacked.
run_with_sanitizers() {
  build_with_clang
  [[ -n $only ]] || check_with_tidy
  run_fuzzers
  run_address_sanitizer
  run_thread_sanitizer
  [[ -n $only ]] || count_instructions
}

run_sanitizers() {
  install_needed
  step "build"
  configure_and_build dev system_test svnetd svnetctl
  prepare_others
  prepare_udev
  run_with_sanitizers
}

run_packages() {
  needs_root
  [[ -z $only ]] || { echo "the stage packages is one script: it has no --only" >&2 && exit 2; }
  step "the packages, on a systemd in a container"
  tests/service/run.sh
}

# What the stage does when the packages are made, and with --soak the tests of the kernel built.
try_hosts() {
  step "the packages on Debian 12's kernel"
  tests/hosts/debian12_kernel.sh ${SVNET_SOAK:+--full}
  [[ -n $SVNET_SOAK ]] || return 0
  step "Debian 13"
  tests/hosts/debian13.sh
}

run_hosts() {
  [[ -z $only ]] || { echo "the stage hosts is scripts: it has no --only" >&2 && exit 2; }
  install_needed
  step "packages for Debian 12"
  tests/service/run.sh make
  step "build: the tests that run there"
  configure_and_build dev system_test ${SVNET_SOAK:+kernel_test gate_test}
  prepare_udev
  try_hosts
}

run_examples() {
  step "clients in C++, Python, TypeScript and Go"
  tests/clients/run.sh build/dev
  step "the commands in README.md and docs"
  tests/docs/run.sh build/dev
}

run_docs() {
  install_needed
  step "build"
  configure_and_build dev svnetd svnetctl
  [[ -n $only ]] || run_examples
  step "tests: docs"
  show_tests -L '^docs$'
}

# --only without a stage.
run_only() {
  [[ $EUID -ne 0 ]] || install_needed
  step "build"
  configure_and_build dev
  if [[ $(count_tests -LE '^unit$') -gt 0 ]]; then needs_root; fi
  if [[ $(count_tests -L '^(kernel|system)$') -gt 0 ]]; then prepare_udev; fi
  if [[ $(count_tests -L '^system$') -gt 0 ]]; then
    prepare_others
    prepare_guests
  fi
  step "tests"
  show_tests
}

# What fails soonest comes first; ctest's summary of all tests comes last.
run_all() {
  install_needed
  check_source
  step "build"
  configure_and_build dev
  step "tests: unit"
  run_tests dev -L '^unit$'
  prepare_others
  prepare_udev
  run_with_sanitizers
  run_examples
  run_packages
  try_hosts
  prepare_guests
  step "tests"
  show_tests
}

if [[ -n $only && ($stage == all || -z $stage) ]]; then
  run_only
else
  "run_${stage:-all}"
fi
