# shellcheck shell=bash
# svnetd in a container without systemd, as docs/containers.md has it. Sourced by
# tests/service/run.sh, which has made $debian and $packages.
#
# shellcheck disable=SC2154 # run.sh has it
# shellcheck disable=SC2016,SC2317 # scripts for the container; `check` runs functions
step "a container without systemd"
box=$scratch/box tun=$scratch/tun
mkdir "$scratch/box-upper" "$scratch/box-work" "$box"
mount -t overlay overlay "$box" \
  -o "lowerdir=$PWD/$debian,upperdir=$scratch/box-upper,workdir=$scratch/box-work"
cp "$packages/svnet_${version}_$architecture.deb" "$box/svnet.deb"
check "the package installs where there is no systemd" systemd-nspawn --register=no \
  --keep-unit --directory="$box" dpkg --install /svnet.deb

boxed=''
start_box() {
  systemd-nspawn --register=no --keep-unit --directory="$box" --private-network \
    --bind="$tun:/dev/net/tun" svnetd --socket-group ''
}
start_box </dev/null >"$scratch/box.log" 2>&1 &
nspawn_of_box=$!
is_svnetd() {
  # Of the processes of nspawn, the one that is in the container.
  boxed=$(pgrep --parent "$(pgrep --parent "$nspawn_of_box" | head -1)" | head -1)
  [[ -n $boxed && $(readlink "/proc/$boxed/exe") == */svnetd ]]
}
in_box() { timeout 60 nsenter --target "$boxed" --all -- env -i PATH=/usr/sbin:/usr/bin "$@"; }
until_true 30 is_svnetd || { cat "$scratch/box.log" >&2 && exit 1; }
check "svnetd serves" until_true 30 in_box svnetctl create vm1
check "without conditions" in_box bash -c 'svnetctl status --json | grep -qF "\"conditions\": []"'
check "a VMM can open the TAP" in_box svnetctl doctor --packet-test packet-gateway tun-access
check "a lease is bound to a process" in_box svnetctl run vm2 -- true
check "the doctor sees that svnetd is in the same namespaces" in_box bash -c \
  'svnetctl doctor pid-namespace network-namespace | grep -c "^ok" | grep -x 2'
box_ends() {
  kill -TERM "$boxed"
  until_true 20 eval '! kill -0 "$nspawn_of_box"' && grep -F "svnetd stops" "$scratch/box.log"
}
check "and stops as usual" box_ends
wait "$nspawn_of_box" || true
umount "$box"
