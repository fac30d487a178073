#!/usr/bin/env bash
# Unpacks Debian's firewalld and ufw for the tests: tests/firewalls/build.sh FOLDER
set -euo pipefail
folder=${1:?usage: $0 FOLDER}
root=$folder/root
[[ ! -e $folder/done ]] || exit 0
"$(dirname "${BASH_SOURCE[0]}")/../unpack.sh" "$folder" firewalld ufw
rm "$folder/done"

# As ufw's postinst does it.
cp "$root"/usr/share/ufw/iptables/*.rules "$root/etc/ufw/"
cp "$root"/usr/share/ufw/{before,after}.init "$root/etc/ufw/"
cp "$root/usr/share/ufw/ufw.conf" "$root/etc/ufw/"
chmod 0640 "$root"/etc/ufw/*.rules
# As firewalld's does it.
ln -s org.fedoraproject.FirewallD1.server.policy.choice \
  "$root/usr/share/polkit-1/actions/org.fedoraproject.FirewallD1.policy"
touch "$folder/done"
