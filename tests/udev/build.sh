#!/usr/bin/env bash
# Unpacks Debian's systemd-udevd for the tests: tests/udev/build.sh FOLDER
#
# It is not installed: it would start, and take charge of the host's links and devices. What is in
# FOLDER afterwards is as it is under / after an installation.
set -euo pipefail
folder=${1:?usage: $0 FOLDER}
root=$folder/root
[[ ! -e $folder/done ]] || exit 0

rm -rf "$folder"
mkdir -p "$root/usr"
(cd "$folder" && { apt-get download udev || { apt-get update && apt-get download udev; }; }) \
  >"$folder/log" 2>&1 || { tail -20 "$folder/log" >&2 && exit 1; }
dpkg-deb -x "$folder"/*.deb "$root"
# Where these links lead on every Debian.
for name in bin lib sbin; do
  [[ -d $root/$name ]] || continue
  mkdir -p "$root/usr/$name"
  cp -a "$root/$name/." "$root/usr/$name/"
  rm -r "${root:?}/$name"
done
touch "$folder/done"
