#!/usr/bin/env bash
# svnet, tried by one command: sudo docs/quickstart.sh
#
# Builds svnet, starts svnetd, and has an unprivileged user lease a TAP and boot a VM on
# it, which reaches a simulated internet through the NAT. Installs what it needs on
# Debian 12. Your own network is not touched: everything happens in network namespaces,
# and they go when this ends.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tests/packages.sh

if [[ $EUID -ne 0 ]]; then
  echo "this needs root, to make network namespaces: sudo $0" >&2
  exit 1
fi

step() { printf '\n\033[1m==> %s\033[0m\n' "$1"; }
# Shows a command as one would type it, and runs it.
show() { echo "\$ $*" && "$@"; }

# ------------------------------------------------------------------ the two programs
if [[ ${1:-} != --inside ]]; then
  step "Build svnetd and svnetctl (and a VM to try them with)"
  install_packages "${BUILD_PACKAGES[@]}" "${GUEST_PACKAGES[@]}"
  mkdir -p build
  if ! { cmake --preset release && cmake --build --preset release; } >build/release.log 2>&1; then
    tail -50 build/release.log >&2
    exit 1
  fi
  tests/guests/build.sh build/guests --uml
  ls -sh build/release/daemon/svnetd build/release/client/svnetctl

  # The rest in namespaces of its own; with the last process in them they are gone.
  exec unshare --net --mount --pid --fork --mount-proc --kill-child "$0" --inside
fi

# --------------------------------------------------- a host, and an internet beside it
# Where the unprivileged user can reach it, wherever you have cloned it.
mount --bind "$PWD" /mnt && cd /mnt
PATH=$PWD/build/release/daemon:$PWD/build/release/client:$PATH
host=$(mktemp -d)
trap 'rm -rf "$host"' EXIT
chmod 755 "$host"
mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200
mkdir -p /run/netns && mount -t tmpfs none /run/netns
ip link set lo up
ip netns add internet
ip link add uplink type veth peer name host netns internet
ip address add 203.0.113.2/24 dev uplink && ip link set uplink up
ip route add default via 203.0.113.1
# No route leads back to the VMs: what they send arrives only if svnetd's NAT works.
ip -n internet address add 203.0.113.1/24 dev host && ip -n internet link set host up
export SVNET_SOCKET=$host/svnetd.sock

# An unprivileged user: no capability, no sudo, only the group of the socket.
group=nogroup
as_user() {
  echo "alice\$ $*"
  setpriv --reuid=1000 --regid="$group" --clear-groups --no-new-privs "$@"
}

step "Start svnetd, as root"
echo "\$ svnetd --socket $SVNET_SOCKET --socket-group $group"
svnetd --socket "$SVNET_SOCKET" --socket-group "$group" 2>"$host/log" &
svnetd=$!
until [[ -S $SVNET_SOCKET ]]; do
  kill -0 "$svnetd" 2>/dev/null || { cat "$host/log" >&2 && exit 1; }
done
show svnetctl status

step "Lease a TAP, as somebody unprivileged"
as_user svnetctl create vm1
as_user svnetctl list
echo
as_user svnetctl boot-args vm1 --guest-interface vec0

step "Boot a VM on it, as the same user; it pings its gateway and the internet"
cat >"$host/script" <<'END'
echo "ping 172.30.0.1, the gateway:"
ping -c 2 -w 20 172.30.0.1
echo "ping 203.0.113.1, on the internet:"
ping -c 2 -w 20 203.0.113.1
END
mac=$(svnetctl list --json | sed -n 's/.*"mac": "\(.*\)".*/\1/p')
as_user tests/guests/run.sh uml build/guests svvm1eth0 "$mac" \
  "$(svnetctl boot-args --tap svvm1eth0 --guest-interface vec0)" "$host/script"

step "What svnetd did"
show svnetctl status
echo
cat "$host/log"

step "Remove it all"
as_user svnetctl remove vm1
show svnetctl cleanup --network
kill "$svnetd" && wait "$svnetd"
echo
echo "It works. docs/ says how to run it for real; README.md where to start in the source."
