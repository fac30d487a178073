#!/usr/bin/env bash
# Boots a test guest on a TAP, as whoever runs it, without any privilege:
#
#   tests/guests/run.sh uml|qemu IMAGES TAP MAC BOOT_ARGS SCRIPT
#
# IMAGES is build.sh's folder; BOOT_ARGS the whole text "ip=..." (the guest's
# interface is vec0 under UML and eth0 under QEMU); SCRIPT a file that the guest's
# shell runs when the network is up, with $interface set.
#
# Prints what the guest says of itself and what the script prints:
#
#   interface eth0
#   mac 02:29:a3:2f:41:c8
#   mtu 1500
#   ip 172.30.0.2/24
#   gateway 172.30.0.1
#   (the script's output)
#
# $GUEST_SECOND is "TAP MAC" of a second interface, vec1 or eth1, which only the script sets up.
#
# $GUEST_NETWORK is what a QEMU guest has in place of a network card of this script's own, as
# `svnetctl --format qemu` prints it.
#
# $GUEST_SAVE is a folder for a QEMU guest's snapshot: once its script has written "GUEST ready" to
# /dev/console, the guest is stopped and saved there, and is over. With $GUEST_RESTORE, such a
# folder, the guest goes on from there instead of booting, with lines "go" to read on /dev/ttyS0;
# MAC, BOOT_ARGS and SCRIPT must be the same.
#
# Ends with the script's exit code; 125 if the guest did not come that far. Takes
# at most $GUEST_TIMEOUT seconds (60).
set -euo pipefail

[[ $# -eq 6 ]] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2 && exit 2; }
kind=$1 images=$2 tap=$3 mac=$4 boot_args=$5 script=$6
read -r second_tap second_mac <<<"${GUEST_SECOND:-}"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

# A second archive after the first adds to it.
mkdir "$scratch/root"
cp "$script" "$scratch/root/script"
(cd "$scratch/root" && echo script | cpio --quiet --create --format newc) >"$scratch/script.cpio"
cat "$images/$kind.cpio" "$scratch/script.cpio" >"$scratch/initramfs"
mkfifo "$scratch/monitor.in" "$scratch/monitor.out" "$scratch/keys"

case $kind in
  uml)
    # Its memory is a file that is mapped executable.
    export TMPDIR=$scratch HOME=$scratch
    guest=(linux.uml mem=96M "initrd=$scratch/initramfs" "uml_dir=$scratch"
      con=null "con0=null,fd:1" "vec0:transport=tap,ifname=$tap,mac=$mac,depth=64"
      ${second_tap:+"vec1:transport=tap,ifname=$second_tap,mac=$second_mac,depth=64"}
      quiet panic=-1 "$boot_args")
    ;;
  qemu)
    guest=(qemu-system-x86_64 -accel tcg -m 192M -nodefaults -display none -no-reboot
      -serial stdio -kernel "$images/qemu.vmlinuz" -initrd "$scratch/initramfs"
      -append "console=ttyS0 quiet panic=-1 net.ifnames=0 $boot_args")
    # card ID TAP MAC
    card() {
      echo "-netdev tap,id=$1,ifname=$2,script=no,downscript=no,vhost=off" \
        "-device virtio-net-pci,netdev=$1,mac=$3"
    }
    cards="$(card net "$tap" "$mac")${second_tap:+ $(card second "$second_tap" "$second_mac")}"
    read -r -d '' -a network <<<"${GUEST_NETWORK:-$cards}" || true
    guest+=("${network[@]}")
    [[ -z ${GUEST_SAVE:-}${GUEST_RESTORE:-} ]] || guest+=(-monitor "pipe:$scratch/monitor")
    [[ -z ${GUEST_RESTORE:-} ]] || guest+=(-incoming "exec:cat $GUEST_RESTORE/state")
    ;;
  *) echo "there is no kind of guest '$kind'" >&2 && exit 2 ;;
esac

# timeout(1) ends all processes of the guest, of which UML has several. It is not in
# the foreground so that a signal to this script can be heard.
exec 3<>"$scratch/keys" 4<>"$scratch/monitor.in" 5<>"$scratch/monitor.out"
timeout --kill-after=5 "${GUEST_TIMEOUT:-60}" "${guest[@]}" <&3 >"$scratch/console" 2>&1 &
guest_pid=$!
trap 'kill $guest_pid 2>/dev/null || true; wait; rm -rf "$scratch"' EXIT
if [[ -n ${GUEST_SAVE:-} ]]; then
  until grep -q '^GUEST ready' "$scratch/console" || ! kill -0 $guest_pid 2>/dev/null; do sleep 0.05; done
  printf 'stop\nmigrate "exec:cat >%s/state"\nquit\n' "$GUEST_SAVE" >&4
  wait $guest_pid && exit 0
fi
# It is loaded as it was saved, paused; what is said before that is lost.
while [[ -n ${GUEST_RESTORE:-} ]] && kill -0 $guest_pid 2>/dev/null; do
  echo cont >&4
  echo go >&3
  sleep 0.1
done
wait $guest_pid || true

tr -d '\r' <"$scratch/console" | sed -n 's/^GUEST //p' >"$scratch/answer"
sed '$d' "$scratch/answer"
code=$(sed -n '$s/^exit //p' "$scratch/answer")
if [[ -z $code ]]; then
  echo "the guest did not come to the end of its script; its console:" >&2
  tail -50 "$scratch/console" >&2
  exit 125
fi
exit "$code"
