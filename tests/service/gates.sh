# shellcheck shell=bash
# The gates as systemd runs them: what they have of the host, and that callers are served again
# when some or all of them have been killed. Sourced by tests/service/run.sh, when the package is
# installed and alice has a TAP.
#
# shellcheck disable=SC2016 # scripts for the container
step "gates"

check "the gates' unit is active" inside systemctl is-active svnet-gates.service svnet-gates.socket
inside systemd-analyze security --no-pager svnet-gates.service | tail -1
check "its exposure is at most 1.0" inside systemd-analyze security --no-pager \
  --threshold=10 svnet-gates.service
check "only root may ask for gates" inside bash -c \
  '[[ $(stat -c "%a %U %G" /run/svnet/gates.sock) == "600 root root" ]]'
limits_are_set() {
  local limits
  limits=$(inside systemctl show svnet-gates.service --property MemoryMax,TasksMax,CPUWeight,OOMPolicy)
  echo "$limits"
  [[ $limits != *infinity* && $limits == *CPUWeight=20* && $limits == *OOMPolicy=continue* ]]
}
check "together they have limits" limits_are_set

# Pids in the container: of all, and of the one that makes the others.
gate_processes() { inside pgrep -f '^/usr/sbin/svnetd --gates$'; }
gate_parent() { inside systemctl show --property MainPID --value svnet-gates.service; }
gates() { gate_processes | grep -vxF "$(gate_parent)"; }
core() { inside systemctl show --property MainPID --value svnetd.service; }

# status PID FIELD: as /proc/PID/status has it.
status() { inside sed -n "s/^$2:\t*//p" "/proc/$1/status"; }
# Each of them, the parent too.
they_have_no_right() {
  local pid uid
  for pid in $(gate_processes); do
    uid=$(status "$pid" Uid)
    echo "$pid: $(status "$pid" Name), uid $uid, $(status "$pid" Threads) threads"
    [[ $uid != 0* && $uid == "$(status "$(gate_parent)" Uid)" ]] || return 1
    for set in CapInh CapPrm CapEff CapBnd CapAmb; do
      [[ $(status "$pid" "$set") == 0000000000000000 ]] || { echo "$set" && return 1; }
    done
    [[ $(status "$pid" NoNewPrivs) == 1 && $(status "$pid" Seccomp) == 2 ]] || return 1
    [[ $(status "$pid" Threads) -le 16 ]] || return 1
  done
  [[ $(status "$(gate_parent)" Threads) == 1 ]]
}
they_have_no_complaint() { ! inside journalctl --no-pager -u svnet-gates.service | grep -F 'may more than they need'; }
check "they have given up all that they need not have" they_have_no_complaint
check "they have no right, and a filter of system calls" they_have_no_right
each_has_a_filter_of_its_own() {
  local pid unit
  unit=$(status "$(gate_parent)" Seccomp_filters)
  [[ -n $(gates) ]] || return 1
  for pid in $(gates); do
    [[ $(status "$pid" Seccomp_filters) -gt $unit ]] || { echo "$pid" && return 1; }
  done
}
check "each gate has a filter of its own besides" each_has_a_filter_of_its_own
they_see_no_files() {
  local pid root mounts
  pid=$(gate_parent) root=/proc/$(gate_parent)/root
  mounts=$(inside cat "/proc/$pid/mountinfo")
  echo "$mounts"
  # Options of a mount, and of the file system in it.
  ! awk '{ print $6 }' <<<"$mounts" | grep -v '^ro,' || return 1
  inside bash -c 'shopt -s nullglob dotglob
    for folder in etc proc sys dev tmp home var/tmp; do
      for file in "$1/$folder"/*; do echo "$file" && exit 1; done
    done
    [[ ! -e $1/usr/bin && -x $1/usr/sbin/svnetd ]]' -- "$root"
}
check "they see the program and its libraries, and can write nothing" they_see_no_files
they_have_no_network() {
  [[ $(inside readlink "/proc/$(gate_parent)/ns/net") != $(inside readlink /proc/1/ns/net) ]]
}
check "they have no network" they_have_no_network

# --------------------------------------------------------------------------- killed
served_again() { until_true 5 as alice svnetctl --timeout 5 list; }
gate_uid_is_named() {
  local uid
  uid=$(inside id -u alice)
  until_true 20 inside bash -c "journalctl --no-pager -u svnetd.service | grep -F 'gate of uid $uid has ended'"
}
each_gate_can_die() {
  local pid parent core
  parent=$(gate_parent) core=$(core)
  as alice svnetctl list || return 1
  for pid in $(gates); do
    inside kill -KILL "$pid" || return 1
    served_again || return 1
  done
  [[ $(gate_parent) == "$parent" && $(core) == "$core" ]]
}
check "each gate can be killed, and alice is served" each_gate_can_die
check "the journal says whose gate it was" gate_uid_is_named

# Prints what a watch of alice's begins with, and leaves it.
begin_of_watch() {
  as alice bash -c 'exec 3< <(exec svnetctl watch) && pid=$! code=0
    read -r -t 5 line <&3 && echo "$line" || code=1
    kill "$pid"
    exit "$code"'
}
a_watch_ends_and_begins_again() {
  local code=0 pid watch
  as alice svnetctl watch --no-reconnect >"$scratch/watched" 2>"$scratch/said" &
  watch=$!
  until_true 5 test -s "$scratch/watched" || return 1
  for pid in $(gates); do inside kill -KILL "$pid"; done
  wait "$watch" || code=$?
  cat "$scratch/said"
  [[ $code -eq 3 ]] && begin_of_watch
}
check "a watch ends with its gate, and another begins" a_watch_ends_and_begins_again

all_gates_can_die() {
  local parent
  parent=$(gate_parent)
  # The parent, with which all others end. To kill all, systemd reads who there is, and says EIO if
  # one goes in that moment.
  inside systemctl kill --kill-who=main --signal=KILL svnet-gates.service || return 1
  served_again || return 1
  [[ $(gate_parent) != "$parent" ]]
}
check "all of them can be killed, and alice is served" all_gates_can_die

# none_of PIDS: not one is there any more.
none_of() {
  local pid
  for pid in $1; do
    ! inside test -e "/proc/$pid" || { echo "$pid is still there" && return 1; }
  done
}
restart_makes_them_anew() {
  local before
  before=$(gate_processes)
  inside systemctl restart svnetd.service && none_of "$before" && served_again
}
check "a restart of svnetd restarts them" restart_makes_them_anew
a_dead_svnetd_takes_them_along() {
  local before
  before=$(gate_processes)
  inside systemctl kill --signal=KILL --kill-who=main svnetd.service
  until_true 5 none_of "$before" && served_again
}
check "they end with an svnetd that is killed" a_dead_svnetd_takes_them_along
they_start_as_often_as_svnetd() {
  local i
  for ((i = 0; i < 60; i++)); do inside systemctl restart svnetd.service || return 1; done
  inside systemctl is-active svnetd.service svnet-gates.service && served_again
}
check "they start as often as svnetd does" they_start_as_often_as_svnetd
gates_starts() { inside journalctl --no-pager -o cat -u svnet-gates.service | grep -c '^Started '; }
# Both are tried again every five seconds.
gates_that_do_not_start_are_tried_slowly() {
  local before
  before=$(gates_starts)
  inside bash -c 'mkdir -p /run/systemd/system/svnet-gates.service.d &&
    printf "[Service]\nExecStart=\nExecStart=/usr/sbin/svnetd --typo\n" >/run/systemd/system/svnet-gates.service.d/typo.conf &&
    systemctl daemon-reload; systemctl restart svnetd.service' || true
  has_tried() { [[ $(($(gates_starts) - before)) -ge 3 ]]; }
  local begin=$SECONDS
  until_true 60 has_tried || { inside systemctl status svnetd svnet-gates && return 1; }
  echo "$(($(gates_starts) - before)) starts in $((SECONDS - begin)) s"
  [[ $((SECONDS - begin)) -ge 5 ]]
}
check "gates that cannot start are tried again and again, but slowly" gates_that_do_not_start_are_tried_slowly
come_back_by_themselves() {
  inside bash -c 'rm -r /run/systemd/system/svnet-gates.service.d && systemctl daemon-reload'
  until_true 30 as alice svnetctl list
}
check "and all is well as soon as they can start" come_back_by_themselves
stop_leaves_nothing() {
  inside systemctl stop svnetd.socket svnetd.service || return 1
  ! inside pgrep -af '^/usr/sbin/svnetd' || return 1
  inside bash -c 'for file in /run/svnet/*.sock; do [[ ! -e $file ]] || exit 1; done'
}
check "a stop leaves no process and no socket" stop_leaves_nothing
inside systemctl start svnetd.socket
check "the next caller starts svnetd and the gates" served_again
check "and both units are active" inside systemctl is-active svnetd.service svnet-gates.service
