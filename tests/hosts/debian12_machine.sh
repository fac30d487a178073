#!/usr/bin/env bash
# What debian12_kernel.sh's machine does: it installs the packages, and tries svnetd as the unit
# runs it. If /arguments says full, it also runs the tests of the kernel, and what
# tests/service/run.sh runs in its container.
#
# shellcheck disable=SC2016,SC2317 # scripts for bash -c; `check` runs functions
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source tests/service/check.sh
source tests/debian.sh

export HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin
scratch=$(mktemp -d)
mkfifo "$scratch/nothing"
version=$(package_version /packages)
architecture=amd64
# As tests/service/installed.sh wants them.
inside_to_the_end() { env -i PATH="$PATH" "$@"; }
inside() { timeout 60 env -i PATH="$PATH" "$@"; }
as() { inside runuser -u "$1" -- "${@:2}"; }

echo "Linux $(uname -r), up since $(cut -d. -f1 /proc/uptime) s"
# The way to the internet, which the doctor looks for.
ip link add up0 type dummy
ip address add 203.0.113.2/24 dev up0
ip link set up0 up
ip route add default via 203.0.113.1

# ------------------------------------------------------------------------- in full
if grep -qx full /arguments; then
  # In an emulated processor a call takes more of it than a gate has for it.
  for program in kernel_test gate_test; do
    step "$program"
    check "$program" "build/dev/tests/$program" --gtest_brief --gtest_filter=-GatePriorityTest.GateWithManyCalls*
  done
  source tests/service/installed.sh
  check_summary || true
  exit
fi

# ------------------------------------------------------------------------ in short
step "the packages on this kernel"
useradd --create-home alice
useradd --create-home mallory
check "the package installs" dpkg --install "/packages/svnet_${version}_$architecture.deb"
usermod --append --groups svnet alice
check "the service is active" systemctl is-active svnetd.service svnetd.socket svnet-gates.service
check "a member of the group gets a TAP" as alice svnetctl create vm1
others_are_refused() { ! as mallory svnetctl list; }
check "others are refused" others_are_refused

# With this lease as its VMM has it: it is the owner's process that opens the TAP.
check "a lease that is bound to a process ends with it" as alice svnetctl run vm2 -- bash -c '
  python3 - "$1" <<"END"
import fcntl, os, struct, sys
tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", sys.argv[1].encode(), 0x5002))
assert open("/sys/class/net/" + sys.argv[1] + "/carrier").read() == "1\n"
END' vmm '{tap}'
check "the network is in order" bash -c \
  'svnetctl status && svnetctl status --json | grep -qF "\"conditions\": []"'
doctor_finds_no_problem() { inside svnetctl doctor | head -1 | tee /dev/stderr | grep -q '^svnet works: '; }
check "the doctor finds no problem" doctor_finds_no_problem
check "the doctor says what such a kernel cannot do" bash -c \
  'svnetctl doctor kernel-version | grep "older than 6.2"'

# udev's default is to set the MAC of a link that it thinks has none, and loses that race only
# where the host is quick.
# Kinds of links that not every kernel of a developer has. The programs are the developer's, the
# kernel is Debian's: what is skipped there is not skipped here.
step "uplinks, and what other programs do to the rules"
ways_of_guests() {
  local log=$scratch/ways
  build/dev/tests/system_test --gtest_brief=0 --gtest_filter="$1" >"$log" 2>&1 || { cat "$log" && return 1; }
  grep '^  ' "$log" >&2 || true # what was measured
  ! grep -F '[  SKIPPED ]' "$log"
}
check "guests leave by every kind of uplink" ways_of_guests 'Uplinks/*'
check "a VRF without a route back is reported" ways_of_guests 'RoutesTest.AnUplinkInAVrf*'
check "a reload of the host's rules interrupts guests for milliseconds" \
  ways_of_guests 'InterruptionTest.OnAnOlderKernel*'

udev_leaves_taps_alone() {
  udevadm info --query=property /sys/class/net/svvm1eth0 | tee /dev/stderr |
    grep -x 'ID_NET_LINK_FILE=.*/10-svnet.link'
}
check "udev has a rule to leave TAPs alone" udev_leaves_taps_alone
# The dummy link has its unit.
systemd_has_no_unit_of_a_tap() {
  local units
  udevadm settle
  units=$(systemctl list-units --all --plain --no-legend 'sys-subsystem-net-devices-*.device')
  echo "$units"
  [[ $units == *-up0.device* && $units != *-sv[^b]* ]]
}
check "systemd has no unit of a TAP" systemd_has_no_unit_of_a_tap
no_lease_is_lost() {
  local number
  for number in 1 2 3 4; do svnetctl create "many$number" >/dev/null || return 1; done
  udevadm settle
  svnetctl list
  [[ $(svnetctl list | grep -c "^many") == 4 ]]
}
check "no lease ends by udev's doing" no_lease_is_lost

picture() { as alice svnetctl list --json; }
before=$(picture) || true
restart_keeps_leases() { systemctl restart svnetd.service && diff <(echo "$before") <(picture); }
check "a restart keeps the leases" restart_keeps_leases
a_removed_tap_is_gone() { as alice svnetctl remove vm1 && [[ ! -e /sys/class/net/svvm1eth0 ]]; }
check "a TAP can be removed" a_removed_tap_is_gone
cleanup_leaves_nothing() {
  svnetctl cleanup --network && ! ip -o link | grep -E ' sv[^ ]*:' && ! nft list tables | grep ' svnet-'
}
check "a cleanup of the network leaves no link and no table" cleanup_leaves_nothing
purge_leaves_nothing() {
  as alice svnetctl create vm1 && dpkg --purge svnet || return 1
  ! pgrep -f ^/usr/sbin/svnetd && ! ip -o link | grep -E ' sv[^ ]*:' && ! nft list tables | grep ' svnet-'
}
check "a purge leaves nothing" purge_leaves_nothing
if [[ $failed -gt 0 ]]; then journalctl --no-pager -o short-monotonic -u 'svnet*' | head -80; fi
check_summary
