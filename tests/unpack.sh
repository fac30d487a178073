#!/usr/bin/env bash
# Unpacks packages of Debian's for the tests: tests/unpack.sh FOLDER PACKAGE...
#
# They are not installed: their services would start, and take charge of the host's network.
# What is in FOLDER/root afterwards is as it is under / after an installation.
set -euo pipefail
folder=${1:?usage: $0 FOLDER PACKAGE...}
root=$folder/root
shift
[[ ! -e $folder/done ]] || exit 0

rm -rf "$folder"
mkdir -p "$root/usr"
(cd "$folder" && { apt-get download "$@" || { apt-get update && apt-get download "$@"; }; }) \
  >"$folder/log" 2>&1 || { tail -20 "$folder/log" >&2 && exit 1; }
for package in "$folder"/*.deb; do dpkg-deb -x "$package" "$root"; done
# Where these links lead on every Debian.
for name in bin lib sbin; do
  [[ -d $root/$name ]] || continue
  mkdir -p "$root/usr/$name"
  cp -a "$root/$name/." "$root/usr/$name/"
  rm -r "${root:?}/$name"
done
touch "$folder/done"
