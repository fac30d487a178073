# shellcheck shell=bash
# svnetctl doctor in the container, against what only a systemd has. Sourced by
# tests/service/run.sh, when the package is installed and alice has a TAP.
#
# A check's trouble is a line "found_and_fixed CHECK LEVEL TROUBLE": root types TROUBLE, the
# doctor finds it, root types what it prints, and the check is ok. That every check has
# one, here or there, tests/system/svnetctl_doctor_troubles_test.cc sees to.
#
# shellcheck disable=SC2154 # run.sh has it
step "doctor"

# What root types.
types() { inside bash -c "$1"; }
finding() { inside svnetctl doctor "$1" || true; }
is_ok() { finding "$1" | grep -q '^ok'; }

# Leaves what the doctor said in $found, and what it would have typed in $fix.
look() {
  found=$(finding "$1")
  fix=$(sed -n 's/^ *fix: //p' <<<"$found" | head -1)
  echo "$found"
}

doctor_story() {
  local check=$1 level=$2 trouble=$3 found fix
  is_ok "$check" || { finding "$check" && return 1; }
  types "$trouble" || return 1
  until_true 20 eval "look $check | grep -q '^$level'" || { look "$check" && return 1; }
  look "$check"
  [[ -n $fix ]] || return 1
  types "$fix" || return 1
  until_true 20 is_ok "$check" || { finding "$check" && return 1; }
}
found_and_fixed() { check "doctor: $1: $3" doctor_story "$@"; }

# ------------------------------------------------------------- the service and its socket
found_and_fixed systemd-unit PROBLEM 'systemctl stop svnetd.socket svnetd.service'
wrong_configuration() {
  local verdict
  types 'echo typo=1 >>/etc/svnet/svnetd.toml; ! systemctl restart svnetd' || return 1
  verdict=$(inside svnetctl doctor || true) && echo "$verdict"
  [[ $verdict == "1 problem: configuration"* ]] || return 1
  finding configuration | grep -q '^PROBLEM.*typo: unknown key' || return 1
  types 'sed -i "$ d" /etc/svnet/svnetd.toml && svnetd --check && systemctl restart svnetd' &&
    is_ok configuration && is_ok answer
}
check "doctor: configuration: a file that is wrong is the only problem" wrong_configuration
found_and_fixed systemd-unit warning 'systemctl disable svnetd.service svnetd.socket'
found_and_fixed socket PROBLEM 'systemctl stop svnetd.socket svnetd.service'
found_and_fixed socket PROBLEM 'rm /run/svnet/svnetd.sock'
found_and_fixed socket PROBLEM 'rm /run/svnet/svnetd.sock; touch /run/svnet/svnetd.sock'
found_and_fixed answer PROBLEM 'systemctl stop svnetd.socket svnetd.service'
found_and_fixed own-rules PROBLEM \
  'systemctl stop svnetd.socket svnetd.service; nft list tables | sed -n "s/^table inet svnet-svbr0/nft delete &/p" | sh'

# A session that is older than its user's membership: its groups are alice's alone.
old_session_of_mallory() { inside setpriv --reuid mallory --regid mallory --groups mallory "$@"; }
joins_the_group() {
  local found fix
  found=$(old_session_of_mallory svnetctl doctor socket-group || true)
  echo "$found"
  fix=$(sed -n 's/^ *fix: //p' <<<"$found")
  [[ $found == *PROBLEM* && $fix == "usermod -aG svnet mallory" ]] && types "$fix" || return 1
  old_session_of_mallory svnetctl doctor socket-group | grep -q '^warning.*log out and in again' &&
    as mallory svnetctl doctor socket-group answer && types 'gpasswd --delete mallory svnet'
}
check "doctor: socket-group: a user who is in no group" joins_the_group

# ---------------------------------------------------------------- who else manages links
# With a rule for all links, networkd takes each that it is not kept off.
types 'systemctl start systemd-networkd'
found_and_fixed networkd warning \
  'mv /lib/systemd/network/1*-svnet*.network /root && networkctl reload'
types 'mv /root/1*-svnet*.network /lib/systemd/network; rm /etc/systemd/network/05-svnet.network
  systemctl stop systemd-networkd.socket systemd-networkd.service'

types 'systemctl unmask NetworkManager && systemctl start NetworkManager'
nm_state() { inside nmcli --get-values GENERAL.STATE device show "$1"; }
networkmanager_leaves_ours_alone() {
  types 'ip link add br-managed type bridge && ip address add 192.0.2.1/24 dev br-managed &&
    ip link set br-managed up'
  until_true 20 eval 'nm_state br-managed | grep -v unmanaged' || { inside nmcli device && return 1; }
  inside nmcli device
  nm_state svbr0 | grep -q unmanaged && nm_state svvm1eth0 | grep -q unmanaged
}
check "NetworkManager keeps off the bridge and the TAPs, and not off others" \
  networkmanager_leaves_ours_alone
found_and_fixed network-manager warning \
  'mv /usr/lib/NetworkManager/conf.d/svnet.conf /root && systemctl restart NetworkManager'
types 'mv /root/svnet.conf /usr/lib/NetworkManager/conf.d; systemctl mask --now NetworkManager
  rm /etc/NetworkManager/conf.d/90-svnet.conf; ip link delete br-managed'

# --------------------------------------------------------------------------- firewalld
types 'systemctl unmask firewalld'
found_and_fixed firewalld PROBLEM 'systemctl start firewalld'
# The fix is for good; the checks of what svnetd itself does about it begin without.
types 'firewall-cmd --permanent --zone=trusted --remove-interface=svbr0'
types 'systemctl mask --now firewalld'
