#!/usr/bin/env bash
# Unpacks Debian's firewalld and ufw for the tests: tests/firewalls/build.sh FOLDER
#
# They are not installed: firewalld would start, and close the host. What is in FOLDER
# afterwards is as it is under / after an installation.
set -euo pipefail
folder=${1:?usage: $0 FOLDER}
root=$folder/root
[[ ! -e $folder/done ]] || exit 0

rm -rf "$folder"
mkdir -p "$root"
(cd "$folder" && { apt-get download firewalld ufw || { apt-get update && apt-get download firewalld ufw; }; }) \
  >"$folder/log" 2>&1 || { tail -20 "$folder/log" >&2 && exit 1; }
for package in "$folder"/*.deb; do dpkg-deb -x "$package" "$root"; done
cp -a "$root/lib/." "$root/usr/lib/"
rm -rf "${root:?}/lib"

# As ufw's postinst does it.
cp "$root"/usr/share/ufw/iptables/*.rules "$root/etc/ufw/"
cp "$root"/usr/share/ufw/{before,after}.init "$root/etc/ufw/"
cp "$root/usr/share/ufw/ufw.conf" "$root/etc/ufw/"
chmod 0640 "$root"/etc/ufw/*.rules
# As firewalld's does it.
ln -s org.fedoraproject.FirewallD1.server.policy.choice \
  "$root/usr/share/polkit-1/actions/org.fedoraproject.FirewallD1.policy"
touch "$folder/done"
