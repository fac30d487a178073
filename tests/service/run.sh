#!/usr/bin/env bash
# Makes the Debian packages, and tries them on a real systemd in a container:
#
#   sudo tests/service/run.sh                     both, for Debian 12
#   tests/service/run.sh make                     only makes the packages and looks at them
#   sudo tests/service/run.sh try SUITE PACKAGES  only tries those in the folder PACKAGES, on a
#                                                 Debian SUITE
#
# Keeps what it builds in build/: the packages in build/service/packages, the bare
# Debian of the container in build/debian. The host's network is not touched.
# The last line is "N passed, N failed".
#
# shellcheck disable=SC2016,SC2317 # scripts for the container; `check` runs functions
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source tests/packages.sh
source tests/service/check.sh
source tests/debian.sh

suite=bookworm packages=build/service/packages
case ${1:-all} in
  all | make) [[ $# -le 1 ]] ;;
  try) [[ $# -eq 3 ]] && suite=$2 packages=$3 ;;
  *) false ;;
esac || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2 && exit 2; }

if [[ ${1:-all} != make && $EUID -ne 0 ]]; then
  echo "this needs root, for a container: sudo $0" >&2
  exit 1
fi

if [[ ${1:-all} != try ]]; then source tests/service/packages.sh; fi
if [[ ${1:-all} == make ]]; then
  check_summary
  exit
fi

# ------------------------------------------------------------------------ container
step "container"
version=$(package_version "$packages")
architecture=$(dpkg --print-architecture)
install_packages "${DEBIAN_PACKAGES[@]}"
make_service_debian "$suite" "$packages/svnet_${version}_$architecture.deb"

scratch=$(mktemp -d)
nspawn='' leader='' vmm=''
finish() {
  [[ -z $vmm ]] || kill "$vmm" 2>/dev/null || true
  [[ -z ${boxed:-} ]] || kill -KILL "$boxed" 2>/dev/null || true
  # The container's init, and with it all of it; nspawn follows.
  [[ -z $leader ]] || kill -KILL "$leader" 2>/dev/null || true
  [[ -z $nspawn ]] || wait "$nspawn" 2>/dev/null || true
  umount "$scratch/root" "$scratch/box" 2>/dev/null || true
  rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT TERM

# What the container writes goes with the test.
mkdir "$scratch/upper" "$scratch/work" "$scratch/root"
mount -t overlay overlay "$scratch/root" \
  -o "lowerdir=$PWD/$debian,upperdir=$scratch/upper,workdir=$scratch/work"
mkfifo "$scratch/nothing"
mkdir "$scratch/root/packages"
cp "$packages"/*.deb "$scratch/root/packages/"
# Each of the others is tried when it is its turn.
ln -s /dev/null "$scratch/root/etc/systemd/system/NetworkManager.service"
ln -s /dev/null "$scratch/root/etc/systemd/system/firewalld.service"
touch "$scratch/root/etc/cloud/cloud-init.disabled"
mknod -m 666 "$scratch/tun" c 10 200 # as udev has it; the host's may differ

# The one hierarchy of cgroups, as Debian has it, and systemd 257 insists on, whatever this host has.
SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 timeout 600 systemd-nspawn --register=no --keep-unit -D "$scratch/root" -M svnet-test \
  --private-network --bind="$scratch/tun:/dev/net/tun" -b \
  </dev/null >"$scratch/console" 2>&1 &
nspawn=$!

# As installed.sh wants it.
inside_to_the_end() {
  nsenter --target "$leader" --all -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}
inside() { timeout 60 nsenter --target "$leader" --all -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
has_init() {
  leader=$(pgrep --parent "$(pgrep --parent "$nspawn" | head -1)" | head -1)
  [[ -n $leader && $(readlink "/proc/$leader/exe") == */systemd ]]
}
until_true 60 has_init || { tail -20 "$scratch/console" >&2 && exit 1; }
is_up() { inside systemctl is-active multi-user.target; }
until_true 60 is_up || { tail -20 "$scratch/console" >&2 && exit 1; }

source tests/service/installed.sh
source tests/service/containers.sh
check_summary
