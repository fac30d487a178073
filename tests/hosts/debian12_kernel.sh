#!/usr/bin/env bash
# Tries the packages on Debian 12 with its own kernel, 6.1, in QEMU:
#
#   sudo tests/hosts/debian12_kernel.sh [--full]
#
# The packages are those of build/service/packages (tests/service/run.sh make), and the tests those
# of build/dev (cmake --build --preset dev --target system_test kernel_test gate_test). With --full
# runs also all that tests/service runs in a container, and the tests of the kernel.
#
# The kernel is downloaded and only unpacked. What is made is kept in build/debian and
# build/debian12_kernel; there the file `console` has what the kernel and systemd say. QEMU
# emulates the processor, so this needs no KVM. It has no network card, and a network namespace
# of its own. The last line is "N passed, N failed".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source tests/packages.sh
source tests/debian.sh

[[ $EUID -eq 0 ]] || { echo "this needs root, to make a Debian: sudo $0" >&2 && exit 1; }
full='' minutes=15 memory=1G
case ${1:-} in
  '') ;;
  --full) full=full minutes=90 memory=4G ;; # for a set of 300,000 elements, while svnetd listens
  *) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
esac

packages=build/service/packages
work=build/debian12_kernel
package=$packages/svnet_$(package_version "$packages")_amd64.deb
tests=(build/dev/tests/kernel_test build/dev/tests/gate_test)
for program in build/dev/tests/system_test ${full:+"${tests[@]}"}; do
  [[ -x $program ]] || { echo "$program is not built" >&2 && exit 1; }
done
install_packages "${DEBIAN_PACKAGES[@]}" "${MACHINE_PACKAGES[@]}"
mkdir -p "$work"
[[ -z $full ]] || tests/unpack.sh build/udev udev

# The kernel. The package without a version in its name depends on the one with it.
find_kernel() {
  apt-cache depends --important linux-image-amd64 | awk '/Depends: linux-image-6\.1\./ && !found++ { print $2 }'
}
# Without its sandbox, whose user cannot write here.
download_kernel() { (cd "$work" && apt-get -o APT::Sandbox::User=root download "$1" >/dev/null); }
name=$(find_kernel)
[[ -n $name ]] || { apt-get update >/dev/null && name=$(find_kernel); }
[[ -n $name ]] || { echo "apt knows of no linux-image-amd64 6.1: this needs Debian 12" >&2 && exit 1; }
release=${name#linux-image-} kernel=$work/$name
if [[ ! -d $kernel ]]; then
  rm -rf "$work"/linux-image-*
  download_kernel "$name" || { apt-get update >/dev/null && download_kernel "$name"; }
  dpkg-deb -x "$work/$name"_*.deb "$kernel.new"
  depmod -b "$kernel.new" "$release"
  rm "$work/$name"_*.deb
  mv "$kernel.new" "$kernel"
fi

# The disk, on which nothing that the machine writes lasts.
make_service_debian bookworm "$package"
disk=$work/$(basename "$debian").ext4
if [[ ! -e $disk ]]; then
  rm -f "$work"/*.ext4
  truncate --size 1G "$disk.new"
  mke2fs -q -t ext4 -O ^has_journal -d "$debian" "$disk.new"
  mv "$disk.new" "$disk"
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

# What there is until the disk is mounted.
root=$scratch/root
mkdir -p "$root/bin" "$root/dev" "$root/modules"
cp /bin/busybox "$root/bin/"
cp tests/hosts/init tests/hosts/test.service "$root/"
mknod -m 600 "$root/dev/console" c 5 1
echo "$PWD" >"$root/checkout"
echo "$full" >"$root/arguments"
for module in virtio_pci virtio_blk ext4 9pnet_virtio 9p; do
  modprobe -d "$PWD/$kernel" -S "$release" --show-depends "$module"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$scratch/modules"
while read -r file; do
  cp "$file" "$root/modules/"
  basename "$file" >>"$root/modules/order"
done <"$scratch/modules"
(cd "$root" && find . | cpio --quiet --create --format newc) >"$scratch/initramfs"

shared=()
share() { shared+=(-virtfs "local,path=$2,mount_tag=host-$1,security_model=none,readonly=on,multidevs=remap"); }
share modules "$kernel/lib/modules"
share packages "$packages"
share checkout "$PWD"

# udev is not told of the hardware that was there before it: that only takes time.
timeout --kill-after=5 $((minutes * 60)) unshare --net qemu-system-x86_64 -accel tcg -smp 2 -m "$memory" \
  -nodefaults -display none -no-reboot -nic none \
  -serial "file:$work/console" -serial stdio \
  -kernel "$kernel/boot/vmlinuz-$release" -initrd "$scratch/initramfs" \
  -append "console=ttyS0 quiet panic=-1 net.ifnames=0 systemd.mask=systemd-udev-trigger.service" \
  -drive "if=virtio,format=raw,snapshot=on,file=$disk" "${shared[@]}" \
  </dev/null 2>"$scratch/said" | tr -d '\r' | tee "$work/answer" || true

if ! tail -1 "$work/answer" | grep -qx '[0-9]* passed, [0-9]* failed'; then
  echo "the machine did not come to the end of its tests, for which it has $minutes min; QEMU" \
    "and its console:" >&2
  { cat "$scratch/said" && tail -50 "$work/console"; } >&2
  exit 1
fi
tail -1 "$work/answer" | grep -q ', 0 failed$'
