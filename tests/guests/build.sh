#!/usr/bin/env bash
# Makes the images of the test guests: tests/guests/build.sh FOLDER
#
#   FOLDER/uml.cpio      initramfs for User Mode Linux, whose kernel is a package's
#   FOLDER/qemu.cpio     initramfs for QEMU
#   FOLDER/qemu.vmlinuz  its kernel: Debian's for clouds
#
# Only from packages of Debian; nothing is installed. Does nothing if it is all there,
# and not older than what it is made of. With --uml makes only what UML needs.
set -euo pipefail

folder=${1:?usage: $0 FOLDER [--uml]}
kinds=${2:-}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

# Virtio, in the order in which the modules need each other.
modules=(virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci
  failover net_failover virtio_net)

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# make_root FOLDER: what both kinds of guest have.
make_root() {
  mkdir -p "$1/bin" "$1/dev" "$1/lib"
  cp /bin/busybox "$1/bin/busybox"
  cp "$here/init" "$1/init"
  [[ -d $scratch/klibc-utils ]] || { fetch klibc-utils && fetch libklibc; }
  cp "$scratch/klibc-utils/usr/lib/klibc/bin/ipconfig" "$1/bin/"
  find "$scratch/libklibc" -name 'klibc-*.so' -exec cp {} "$1/lib/" \;
  chmod 755 "$1/init" "$1/bin/busybox"
  # The kernel opens it before there is a devtmpfs.
  mknod -m 600 "$1/dev/console" c 5 1
}

# pack FOLDER IMAGE: in one step, so that half an image is never taken for one.
pack() {
  (cd "$1" && find . | cpio --quiet --create --format newc) >"$2.new"
  chmod 644 "$2.new"
  mv "$2.new" "$2"
}

# fetch PACKAGE: downloads it, and unpacks it to $scratch/PACKAGE.
fetch() {
  # Without its sandbox, whose user cannot write here.
  (cd "$scratch" && apt-get -o APT::Sandbox::User=root download "$1" >/dev/null)
  dpkg-deb -x "$scratch/$1"_*.deb "$scratch/$1"
}

is_current() { [[ -e $1 && $1 -nt $here/init && $1 -nt $here/build.sh ]]; }

if ! is_current "$folder/uml.cpio"; then
  make_root "$scratch/uml"
  pack "$scratch/uml" "$folder/uml.cpio"
fi
[[ $kinds != --uml ]] || exit 0

if ! is_current "$folder/qemu.cpio"; then
  make_root "$scratch/qemu"
  # The package without a version in its name depends on the one with it.
  kernel=$(apt-cache depends --important linux-image-cloud-amd64 |
    awk '/Depends: linux-image-/ { print $2; exit }')
  fetch "${kernel:?there is no package linux-image-cloud-amd64: is the list of packages there?}"
  mkdir "$scratch/qemu/modules"
  for module in "${modules[@]}"; do
    find "$scratch/$kernel/lib/modules" -name "$module.ko" -exec cp {} "$scratch/qemu/modules/" \;
    [[ -e $scratch/qemu/modules/$module.ko ]] || { echo "$kernel has no $module.ko" >&2 && exit 1; }
    echo "$module" >>"$scratch/qemu/modules/order"
  done
  cp "$scratch/$kernel"/boot/vmlinuz-* "$folder/qemu.vmlinuz"
  chmod 644 "$folder/qemu.vmlinuz"
  pack "$scratch/qemu" "$folder/qemu.cpio"
fi
