#!/usr/bin/env bash
# The part of tests/clients/run.sh that is in namespaces of its own: runs the examples, which
# are built, against SVNET/daemon/svnetd.
#
#   tests/clients/examples.sh SVNET
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PATH=$1/daemon:$1/client:$PATH

# Where any uid can reach it, wherever the checkout is.
mount --bind "$PWD" /mnt && cd /mnt
mount -t tmpfs -o mode=755 none /dev/net && mknod -m 666 /dev/net/tun c 10 200
ip link set lo up
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
chmod 755 "$scratch"
export SVNET_SOCKET=$scratch/svnetd.sock

# Python is Debian's, because it has Debian's packages.
languages=(cpp python typescript go)
# nogroup, which every Debian has, and no user is in.
group=65534

as_alice() {
  timeout 60 setpriv --reuid=1000 --regid=1000 --groups="$group" --no-new-privs --inh-caps=-all "$@"
}

# start_svnetd [OPTION...]
start_svnetd() {
  rm -f "$SVNET_SOCKET"
  svnetd --config /dev/null --socket "$SVNET_SOCKET" --socket-group nogroup "$@" \
    2>"$scratch/svnetd.log" &
  svnetd=$!
  until [[ -S $SVNET_SOCKET ]]; do
    kill -0 "$svnetd" 2>/dev/null || { cat "$scratch/svnetd.log" >&2 && exit 1; }
  done
}

# The next one begins with the first address again.
stop_svnetd() {
  svnetctl cleanup --network >"$scratch/cleanup"
  kill "$svnetd" && wait "$svnetd"
}

passed=0 failed=0
# check NAME COMMAND...: shows what the command printed only if it fails.
check() {
  local name=$1
  shift
  if "$@" >"$scratch/check" 2>&1; then
    passed=$((passed + 1))
    echo "ok      $name"
  else
    failed=$((failed + 1))
    echo "FAILED  $name"
    sed 's/^/        /' "$scratch/check"
  fi
}

# run_example LANGUAGE [OPTION...]
run_example() {
  case $1 in
    cpp) as_alice build/clients/cpp/supervisor vm1 "${@:2}" ;;
    python) as_alice /usr/bin/python3 -B build/clients/python/supervisor.py vm1 "${@:2}" ;;
    typescript) as_alice node build/clients/typescript/dist/supervisor.js vm1 "${@:2}" ;;
    go) as_alice build/clients/go/supervisor vm1 "${@:2}" ;;
  esac
}

# TypeScript's does not open the TAP; all else is the same in every language.
expected_of() {
  local attached=attached
  [[ $1 != typescript ]] || attached='not attached'
  cat <<END
tap svvm1eth0
guest 172.30.0.2/24 02:29:a3:2f:41:c8
boot args ip=172.30.0.2::172.30.0.1:255.255.255.0::eth0:off
asked again: svvm1eth0 172.30.0.2, $attached
refused: INVALID_ID: mend the request
removed svvm1eth0
END
}

# Asked as root, who would see everybody's.
# The device goes a little later than its lease, and then the kernel says so.
no_tap_is_left() {
  svnetctl list --json | tr -d ' \n' | grep -Fx '{"taps":[],"nextPageToken":""}' || return
  for _ in {1..1000}; do
    ip link show svvm1eth0 2>/dev/null || return 0
  done
  return 1
}

# The same when it is svnetd who opens the TAP.
opens_it_by_svnetd() {
  run_example python --by-svnetd >"$scratch/out" && expected_of python | diff - "$scratch/out"
}

# As one of many that have the same snapshot.
leases_a_tap_for_a_restored_guest() {
  run_example "$1" --restored >"$scratch/out" &&
    expected_of "$1" | sed 's,^boot args .*,believes 10.0.0.2/24 06:00:ac:10:00:02,' |
    diff - "$scratch/out"
}

prints_what_it_should() {
  run_example "$1" >"$scratch/out" && expected_of "$1" | diff - "$scratch/out"
}

# A svnetd ends in the middle of a call, and the next one comes only when it has been missed.
waits_for_a_restart() {
  local line example
  rm -f "$SVNET_SOCKET" "$scratch/err" && mkfifo "$scratch/err"
  exec 8< <(PYTHONPATH=build/clients/python timeout 60 /usr/bin/python3 -B \
    tests/clients/dies_in_a_call.py "$SVNET_SOCKET")
  read -r -t 60 line <&8 || { start_svnetd && return 1; }
  run_example "$1" >"$scratch/out" 2>"$scratch/err" &
  example=$!
  exec 9<"$scratch/err"
  read -r -t 60 line <&9 || line=nothing
  start_svnetd
  wait "$example" || { cat <&9 && return 1; }
  exec 8<&- 9<&-
  grep '^no svnetd yet: .' <<<"$line" && expected_of "$1" | diff - "$scratch/out"
}

# Where nobody listens, and nobody comes.
run_in_vain() {
  local code=0 start=$SECONDS
  SVNET_SOCKET=$scratch/nobody run_example "$1" >"$scratch/$1.out" 2>"$scratch/$1.err" || code=$?
  echo "$code $((SECONDS - start))" >"$scratch/$1.end"
}

gave_up_in_time() {
  local code seconds
  read -r code seconds <"$scratch/$1.end"
  echo "exit code $code after $seconds s; the last words:"
  tail -1 "$scratch/$1.err"
  [[ $code -eq 1 && $seconds -ge 5 && $seconds -le 30 && ! -s $scratch/$1.out ]] &&
    tail -1 "$scratch/$1.err" | grep -q '^supervisor: .'
}

serves_programs_of_the_old_class() {
  as_alice node build/clients/typescript/dist/network_manager_user.js >"$scratch/out" &&
    diff - "$scratch/out" <<END
svvm1eth0 172.30.0.2 172.30.0.1 255.255.255.0 02:29:a3:2f:41:c8
ip=172.30.0.2::172.30.0.1:255.255.255.0::eth0:off
bad id: TAP_CREATE_FAILED
other bridge: BRIDGE_SETUP_FAILED
END
}

# NOT_A_BRIDGE is more precise than the codes of the TypeScript NetworkManager.
keeps_the_codes_of_the_old_class() {
  local code=0
  as_alice node build/clients/typescript/dist/network_manager_user.js >"$scratch/out" || code=$?
  echo "exit code $code"
  diff - "$scratch/out" <<<"BRIDGE_SETUP_FAILED, because of NOT_A_BRIDGE" && [[ $code -eq 1 ]]
}

# All at the same time: each is patient for 10 s.
in_vain=()
for language in "${languages[@]}"; do
  run_in_vain "$language" &
  in_vain+=($!)
done

for language in "${languages[@]}"; do
  start_svnetd
  check "$language: prints what it should" prints_what_it_should "$language"
  check "$language: leaves no TAP" no_tap_is_left
  stop_svnetd
  check "$language: waits while svnetd restarts" waits_for_a_restart "$language"
  check "$language: leaves no TAP then, either" no_tap_is_left
  stop_svnetd
done

for language in "${languages[@]}"; do
  start_svnetd --kind routed
  check "$language: leases a TAP for a restored guest" leases_a_tap_for_a_restored_guest "$language"
  stop_svnetd
done

start_svnetd
check "python: has svnetd open the TAP" opens_it_by_svnetd
check "python: leaves no TAP after that" no_tap_is_left
stop_svnetd

start_svnetd
check "typescript: serves programs of the old NetworkManager" serves_programs_of_the_old_class
check "typescript: has cleaned up" no_tap_is_left
stop_svnetd
ip tuntap add svbr0 mode tap
start_svnetd
check "typescript: keeps the old NetworkManager's error codes" keeps_the_codes_of_the_old_class
ip link delete svbr0

wait "${in_vain[@]}"
for language in "${languages[@]}"; do
  check "$language: gives up when there is no svnetd" gave_up_in_time "$language"
done

echo "$passed passed, $failed failed"
[[ $failed -eq 0 ]]
