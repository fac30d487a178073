#!/usr/bin/env bash
# The part of tests/docs/run.sh that is in namespaces of its own: runs the commands of a page
# on a host that is nobody's, with a live svnetd.
#
#   tests/docs/sandbox.sh SVNET PAGE
set -euo pipefail
svnet=$1 page=$2

# Where any uid can reach it, wherever the checkout is.
mount --bind "$PWD" /mnt

# /etc, so that a page can add users and configure svnetd; /run for the socket.
etc=$(mktemp -d) work=$(mktemp -d)
trap 'rm -rf "$etc" "$work"' EXIT
cp -a /etc/. "$etc" && mount --bind "$etc" /etc
rm -rf /etc/svnet
mount -t tmpfs -o mode=755 none /run && mkdir /run/svnet
mount -t tmpfs -o mode=755 none /dev/net && mknod -m 666 /dev/net/tun c 10 200
ip link set lo up

# An uplink and its router, which knows no way to guests.
ip netns add router
ip link add eth0 type veth peer name eth0 netns router
ip -n router address add 203.0.113.1/24 dev eth0 && ip -n router link set eth0 up
ip address add 203.0.113.2/24 dev eth0 && ip link set eth0 up
ip route add default via 203.0.113.1

# A member of the socket's group.
getent group svnet >/dev/null || groupadd --system svnet
id alice >/dev/null 2>&1 || useradd --no-create-home --home-dir "$work" alice
usermod --append --groups svnet alice

# Pages name files as one sees them in a checkout, but nothing is written to it.
ln -s /mnt/* "$work"
rm "$work/build" 2>/dev/null || true
chown alice "$work" && chmod 755 "$work"
cd "$work"
mkdir "$work/.bin" && cp /mnt/tests/docs/systemctl "$work/.bin"
cp "$svnet/daemon/svnetd" "$svnet/client/svnetctl" "$work/.bin"
export PATH=$work/.bin:$PATH HOME=$work

systemctl start svnetd
code=0
python3 -B /mnt/tests/docs/page.py "$page" || code=$?
systemctl stop svnetd
exit "$code"
