# shellcheck shell=bash
# What the packages must do on a Debian with systemd. Sourced by who has one, with
#
#   inside COMMAND...            runs it there as root, for at most a minute
#   inside_to_the_end COMMAND... the same, for as long as it takes
#   $version, $architecture      of the packages in /packages there; those of the next version and of
#                                the one before too
#   $scratch                     a folder here
#
# and tests/service/check.sh. What it leaves running is $vmm.
#
# shellcheck disable=SC2034,SC2154 # see there
# shellcheck disable=SC2016,SC2317 # scripts for the container; `check` runs functions
threshold=15 # systemd-analyze's exposure, times ten
vmm=''

as() { inside runuser -u "$1" -- "${@:2}"; }

# ---------------------------------------------------------------------- installation
step "installation"
inside useradd --create-home alice
inside useradd --create-home mallory
check "the package installs" inside dpkg --install "/packages/svnet_${version}_$architecture.deb"
inside usermod --append --groups svnet alice
check "the service is active" inside systemctl is-active svnetd.service svnetd.socket
check "it starts with the host" inside systemctl is-enabled svnetd.service svnetd.socket
inside systemd-analyze security --no-pager svnetd.service | tail -1
check "its exposure is at most 1.5" inside systemd-analyze security --no-pager \
  --threshold=$threshold svnetd.service
check "the socket is the group's" inside bash -c \
  '[[ $(stat -c "%a %U %G" /run/svnet/svnetd.sock) == "660 root svnet" ]]'
check "so is the one for TAPs as descriptors" inside bash -c \
  '[[ $(stat -c "%a %U %G" /run/svnet/tap.sock) == "660 root svnet" ]]'
check "a member of the group gets a TAP" as alice svnetctl create vm1
check "and one as an open descriptor" as alice svnetctl run vm10 -- \
  sh -c 'grep -q "^iff:.svvm10eth0$" /proc/$$/fdinfo/{fd}'
check "a lease is bound to a process of hers, and ends with it" \
  as alice svnetctl run vm9 -- true
check "forwarding is on" inside grep -x 1 /proc/sys/net/ipv4/ip_forward
check "the bridge has no IPv6" inside grep -x 1 /proc/sys/net/ipv6/conf/svbr0/disable_ipv6
check "the network is in order" inside bash -c \
  'svnetctl status && svnetctl status --json | grep -qF "\"conditions\": []"'

# Fields are the journal's own only if nothing else is in them: JSON has lists for what comes twice.
journal_has_fields() {
  local entry
  until_true 20 inside bash -c 'journalctl --no-pager -o json VM_ID=vm1 | grep -q CreateTap'
  entry=$(inside journalctl --no-pager -o json VM_ID=vm1 | grep CreateTap | head -1)
  echo "$entry"
  ENTRY=$entry python3 -c '
import json, os
entry = json.loads(os.environ["ENTRY"])
assert entry["TAP"] == "svvm1eth0" and entry["IFACE_ID"] == "eth0" and entry["PRIORITY"] == "6", entry
assert entry["OWNER_UID"] == entry["CALLER_UID"] and entry["_SYSTEMD_UNIT"] == "svnetd.service", entry
assert entry["MESSAGE"].startswith("CreateTap uid="), entry'
}
check "the journal has a VM's lines by its id" journal_has_fields
refusal_is_in_the_journal() {
  as alice svnetctl create vm1 --ip 172.30.0.99 || true
  until_true 20 inside bash -c 'journalctl --no-pager REASON=LEASE_CONFLICT | grep -q CreateTap'
}
check "and refusals by their reason" refusal_is_in_the_journal

# Metrics over HTTP, with the drop-in of docs/operations.md.
metrics_are_served() {
  local drop_in
  drop_in=$(sed -n '/^```ini/,/^```/p' docs/operations.md | grep -v '```')
  [[ -n $drop_in ]] || return 1
  inside bash -c 'sed -i "s/^#metrics_listen = .*/metrics_listen = \"127.0.0.1:9464\"/" /etc/svnet/svnetd.toml
    systemctl restart svnetd && svnetctl status | grep -F METRICS_NOT_SERVED' || return 1
  until_true 20 inside bash -c 'journalctl --no-pager -u svnetd | grep -F "drop-in"' || return 1
  inside bash -c 'mkdir -p /etc/systemd/system/svnetd.service.d &&
    printf "%s\n" "$1" >/etc/systemd/system/svnetd.service.d/metrics.conf && systemctl daemon-reload &&
    systemctl restart svnetd.service' -- "$drop_in" || return 1
  inside bash -c 'exec 3<>/dev/tcp/127.0.0.1/9464 && printf "GET /metrics HTTP/1.0\r\n\r\n" >&3 &&
    grep -a "^svnet_leases{network=\"default\"} 1" <&3'
  local code=$?
  inside bash -c 'rm -r /etc/systemd/system/svnetd.service.d && systemctl daemon-reload
    sed -i "s/^metrics_listen = .*/#metrics_listen = \"\"/" /etc/svnet/svnetd.toml && systemctl restart svnetd.service'
  return "$code"
}
check "metrics are served where the unit lets svnetd, and it says so where not" metrics_are_served

others_are_told() {
  local output code=0
  output=$(as mallory svnetctl create vm1 2>&1) || code=$?
  echo "$output"
  [[ $code -eq 3 && $output == *"are you in group svnet?"* ]]
}
check "others are refused, and told why" others_are_told

# -------------------------------------------------------------------- who else is there
# With a rule for all links, networkd takes every link that it is not kept off.
step "systemd-networkd"
inside bash -c 'printf "[Match]\nName=*\n[Network]\nLinkLocalAddressing=no\n" \
  >/etc/systemd/network/99-all.network; ip link add svother type veth peer name peer; ip link set svother up; ip link set peer up'
# restart_networkd LINK...: and has it set these up anew. At that it takes the routes of others away
# from links that it manages.
restart_networkd() {
  inside bash -c 'ip route add 198.51.100.1 dev svother proto 116
    systemctl restart systemd-networkd && networkctl reconfigure "$@" svother' -- "$@" &&
    until_true 20 inside bash -c '[[ -z $(ip route show 198.51.100.1) ]]' &&
    until_true 20 inside bash -c 'networkctl --no-legend list svother | grep -q configured'
}
networkd_leaves_ours_alone() {
  local list
  restart_networkd svbr0 svvm1eth0 || return 1
  list=$(inside networkctl --no-legend --no-pager list)
  echo "$list"
  grep -q 'svbr0.*unmanaged' <<<"$list" && grep -q 'svvm1eth0.*unmanaged' <<<"$list" &&
    grep -q 'svother.*configured' <<<"$list"
}
check "keeps off the bridge and the TAPs, and not off others" networkd_leaves_ours_alone

routed_network() {
  inside bash -c 'ip route show proto 115 | sed "s/ linkdown//"; ip neighbour show proto 115
    svnetctl metrics | grep ^svnet_repairs_total; ip -o address show svbr1; ip rule; nft -s list ruleset'
}
networkd_keeps_a_routed_guest() {
  local before
  inside bash -c 'cp /etc/svnet/svnetd.toml /root/one.toml
    printf "[networks.routed]\nkind = \"routed\"\nbridge = \"svbr1\"\nsubnet = \"172.31.0.0/24\"\n" >>/etc/svnet/svnetd.toml
    sed "s/^Name=svbr0/& svbr1/" /usr/lib/systemd/network/10-svnet.network >/etc/systemd/network/10-svnet.network
    networkctl reload && systemctl reload svnetd && svnetctl create vm8 --network routed' || return 1
  before=$(routed_network)
  head -12 <<<"$before"
  [[ $before == "172.31.0.2 dev svvm8eth0"*"172.31.0.2 dev svvm8eth0 lladdr"*svnet_repairs_total* ]] || return 1
  restart_networkd svbr1 svvm8eth0 && diff <(echo "$before") <(routed_network)
}
check "keeps a routed guest when it restarts" networkd_keeps_a_routed_guest
inside bash -c 'systemctl stop systemd-networkd.socket systemd-networkd.service
  rm /etc/systemd/network/10-svnet.network; cp /root/one.toml /etc/svnet/svnetd.toml
  svnetctl cleanup --network --of routed && systemctl restart svnetd'

# It does not run in a container, but says what it would do with its files.
step "systemd-udevd"
udevd_leaves_a_tap_alone() {
  local said
  said=$(inside udevadm test /sys/class/net/svvm1eth0 2>&1) || true
  echo "$said"
  [[ $said == *SVNET_TAP=1* && $said == *ID_NET_LINK_FILE=*/10-svnet.link* ]]
}
check "has the files to leave TAPs alone" udevd_leaves_a_tap_alone

source tests/service/formats.sh
source tests/service/doctor.sh
source tests/service/gates.sh

# -------------------------------------------------------------------------- restarts
step "restarts"
# attach TAP: as alice's VMM, until $vmm ends.
attach() {
  inside_to_the_end python3 -c '
import fcntl, os, signal, struct, sys
tun = os.open("/dev/net/tun", os.O_RDWR)
os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
flags = 0x0002 | 0x1000 | 0x4000  # IFF_TAP, IFF_NO_PI, IFF_VNET_HDR
fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", sys.argv[1].encode(), flags))  # TUNSETIFF
signal.pause()' "$1" "$(inside id -u alice)" &
  vmm=$!
  until_true 20 inside grep -x 1 "/sys/class/net/$1/carrier"
}
attach svvm1eth0

picture() {
  inside bash -c 'cd /sys/class/net/svvm1eth0 && cat ifindex carrier carrier_changes'
  as alice svnetctl list --json
}
before=$(picture)
is_as_before() { diff <(echo "$before") <(picture); }
main_pid() { inside systemctl show --property MainPID --value svnetd.service; }
old=$(main_pid)
is_another() { local pid && pid=$(main_pid) && [[ $pid != 0 && $pid != "$old" ]]; }

# A stream of calls, one after the other in each of four lines; each failure is a line.
stream() {
  as alice bash -c 'for line in 1 2 3 4; do
    while [[ ! -e /tmp/stop ]]; do
      svnetctl create vm1 >/dev/null 2>>/tmp/lost && echo >>/tmp/answered || echo lost >>/tmp/lost
    done &
  done
  wait'
}
nothing_is_lost() {
  stream &
  local calls=$!
  until_true 20 inside test -s /tmp/answered
  for _ in 1 2 3; do inside systemctl restart svnetd.service; done
  inside touch /tmp/stop
  wait "$calls"
  echo "$(inside wc -l </dev/null /tmp/answered) calls answered"
  inside bash -c '! cat /tmp/lost 2>/dev/null | grep .'
}
check "no call of a stream is lost while it restarts, three times" nothing_is_lost
check "an attached TAP does not notice" is_as_before

comes_back() { until_true 30 is_another && as alice svnetctl --timeout 30 list && is_as_before; }
old=$(main_pid)
inside kill -KILL "$old"
check "after kill -9 it comes back with the leases" comes_back

inside bash -c 'mkdir -p /run/systemd/system/svnetd.service.d &&
  printf "[Service]\nWatchdogSec=2\n" >/run/systemd/system/svnetd.service.d/watchdog.conf &&
  systemctl daemon-reload && systemctl restart svnetd'
old=$(main_pid)
stays() {
  until_true 5 is_another && return 1
  [[ $(main_pid) == "$old" ]]
}
check "the watchdog leaves it alone while it works" stays
inside kill -STOP "$old"
check "the watchdog brings a stopped one back with the leases" comes_back
check "the journal says that it was the watchdog" inside bash -c \
  'journalctl --no-pager -u svnetd.service | grep -i "watchdog timeout"'

# --------------------------------------------------------------------------- reloads
step "reloads"
reload_with() {
  inside bash -c 'printf "%b" "$1" >>/etc/svnet/svnetd.toml && systemctl reload svnetd.service' -- "$1"
}
journal_says() { until_true 20 inside bash -c 'journalctl --no-pager -u svnetd.service | grep -F "$1"' -- "$1"; }
old=$(main_pid)
is_the_same() { [[ $(main_pid) == "$old" ]]; }
a_bad_file_is_refused() { ! reload_with '\n[limits]\n' && is_the_same; } # a table twice: no TOML
check "a reload of a bad file fails" a_bad_file_is_refused
check "and the journal says why" journal_says "svnetd.toml:"
inside sed -i 's/^#taps_per_user = 64/taps_per_user = 1/; $d' /etc/svnet/svnetd.toml
reload_with ''
check "a reload is reported" journal_says "reloaded: taps_per_user"
limit_holds() {
  local output code=0
  output=$(as alice svnetctl create vm2 --json 2>&1) || code=$?
  echo "$output"
  [[ $code -eq 1 && $output == *QUOTA_EXCEEDED* ]]
}
check "the new limit holds" limit_holds
check "no restart was needed" is_the_same
check "an attached TAP does not notice that either" is_as_before

# ----------------------------------------------------------------- wrong configuration
step "a wrong configuration"
# A caller who tries again and again takes neither the service nor its socket down.
starts_when_the_file_is_right_again() {
  local i code=0
  inside bash -c 'echo "subnett = 1" >/root/typo && cp /etc/svnet/svnetd.toml /root/good.toml &&
    cat /root/typo /root/good.toml >/etc/svnet/svnetd.toml'
  inside systemctl restart svnetd.service && return 1
  for ((i = 0; i < 30; i++)); do as alice svnetctl --timeout 1 list >/dev/null 2>&1 && return 1; done
  inside bash -c 'systemctl is-active svnetd.socket && test -S /run/svnet/svnetd.sock' || return 1
  inside svnetd --check || code=$?
  [[ $code -eq 2 ]] || return 1
  inside bash -c 'cp /root/good.toml /etc/svnet/svnetd.toml && svnetd --check && systemctl restart svnetd.service' &&
    as alice svnetctl list
}
check "svnetd starts at once when the file is right again, whoever has called" starts_when_the_file_is_right_again
check "the journal has the line's error" until_true 20 inside bash -c \
  'journalctl --no-pager -p err -u svnetd.service | grep -F "svnetd.toml:1: subnett"'
check "and says what was meant" journal_says "svnetd.toml:1: subnett: unknown key: did you mean subnet?"
check "the guest has not noticed" is_as_before
old=$(main_pid)

# ---------------------------------------------------------------- other packet filters
# What svnetd's sandbox lets it do about them; the rest is in tests/system.
step "firewalld, and Docker's chains by both iptables"
status_has() {
  until_true 20 inside bash -c 'svnetctl status --json | grep -qF "$1"' -- "$1" ||
    { inside svnetctl status && return 1; }
}
is_in_zone() { until_true 20 inside bash -c '[[ $(firewall-cmd --zone=svnet --list-interfaces) == svbr0 ]]'; }
inside rm /etc/systemd/system/firewalld.service
inside systemctl daemon-reload
inside systemctl start firewalld.service
check "firewalld runs" until_true 30 inside firewall-cmd --state
check "firewalld is named" status_has "firewalld drops traffic from guests"
inside sed -i 's/^#manage_foreign_firewalls = false/manage_foreign_firewalls = true/' /etc/svnet/svnetd.toml
reload_with ''
check "guests are let through" status_has '"conditions": []'
check "by the package's zone" is_in_zone
check "firewalld is reloaded" inside firewall-cmd --reload
check "guests are let through again" is_in_zone

# After firewalld, which flushes iptables' rules when it starts.
for iptables in iptables-nft iptables-legacy; do
  inside bash -c "for chain in DOCKER DOCKER-USER; do $iptables -N \$chain; done
    $iptables -A DOCKER-USER -j RETURN; $iptables -A FORWARD -j DOCKER-USER
    $iptables -A FORWARD -o docker0 -j DOCKER"
done
foreign_rules() {
  inside bash -c '(iptables-nft-save; iptables-legacy-save) 2>&1 | sed "/^#/d; s/ \[[0-9:]*\]$//"'
}
foreign=$(foreign_rules | sed 's/FORWARD ACCEPT/FORWARD DROP/')
for iptables in iptables-nft iptables-legacy; do inside "$iptables" -P FORWARD DROP; done
in_dockers_place() {
  until_true 20 inside bash -c "$1 -S DOCKER-USER | grep -F svnet-svbr0" || { foreign_rules && return 1; }
}
check "guests are let through Docker" in_dockers_place iptables-nft
check "iptables-legacy's rules are said to be hidden" status_has "iptables-legacy has rules that svnetd cannot read"
inside bash -c 'mkdir -p /etc/systemd/system/svnetd.service.d
  printf "[Service]\nRestrictAddressFamilies=AF_INET\n" >/etc/systemd/system/svnetd.service.d/legacy.conf
  systemctl daemon-reload; systemctl restart svnetd'
check "and with the drop-in through iptables-legacy's" in_dockers_place iptables-legacy
check "the network is in order again" status_has '"conditions": []'

# --------------------------------------------------------------- upgrade, remove, purge
step "upgrade, remove, purge"
old=$(main_pid)
check "the next version installs" inside dpkg --install "/packages/svnet_$version+next_$architecture.deb"
check "it runs" is_another
gates_are_the_new_versions() {
  local pid
  for pid in $(gate_processes); do
    [[ $(inside readlink "/proc/$pid/exe") == /usr/sbin/svnetd ]] || return 1
  done
}
check "and so do its gates" gates_are_the_new_versions
check "the attached TAP has kept ifindex and carrier" is_as_before
check "the configuration is what it was" inside grep -q '^taps_per_user = 1' /etc/svnet/svnetd.toml

# The program is the same: what an older one does is shown by UpgradeTest.
step_back_is_warned_of() {
  local output
  output=$(inside dpkg --force-downgrade --install "/packages/svnet_$version~before_$architecture.deb" 2>&1)
  echo "$output"
  grep -F "svnet: " <<<"$output" | grep -qF "TAPs of svnet $version+next are in use" &&
    ! grep -F "svnet: " < <(inside dpkg --install "/packages/svnet_$version+next_$architecture.deb" 2>&1)
}
check "a step back to an older version is warned of, and an upgrade is not" step_back_is_warned_of
check "the state of leases is root's alone, and outlives each restart" inside bash -c \
  '[[ $(stat -c "%a %U" /run/svnet/state-svbr0) == "700 root" ]] && systemctl stop svnetd &&
    test -d /run/svnet/state-svbr0 && systemctl start svnetd'

inside bash -c 'printf "[networks.red]\nbridge = \"svred0\"\nsubnet = \"172.31.0.0/24\"\n" \
  >>/etc/svnet/svnetd.toml'
check "a reload adds a network" inside bash -c \
  'systemctl reload svnetd && svnetctl create vm9 --network red && ip link show svred0'

# The tables' names and order differ while svnetd owns them (/a or /b) and when it has stopped.
link_picture() { inside bash -c 'cd /sys/class/net/svvm1eth0 && cat ifindex carrier carrier_changes; ip -4 -o address show dev svbr0; nft list tables | grep -v svnetd-lock- | sed "s|/[ab]$||" | sort'; }
links=$(link_picture)
# State elsewhere, and what only looks like it.
inside bash -c 'sed -i "1i state_dir = \"/srv/state\"" /etc/svnet/svnetd.toml
  mkdir -p /srv/state /srv/mine && touch /srv/state/AAAAAAAAAAAAAAA /srv/mine/BBBBBBBBBBBBBBB'
check "the package is removed" inside dpkg --remove svnet
check "svnetd and the gates are gone" inside bash -c '! pgrep -f ^/usr/sbin/svnetd'
check "a guest's network is still there" diff <(echo "$links") <(link_picture)
check "and so is the configuration" inside test -e /etc/svnet/svnetd.toml

inside bash -c 'ip tuntap add svforeign mode tap; ip link add br-foreign type bridge
  nft add table inet foreign'
check "the package is purged" inside dpkg --purge svnet
nothing_of_ours() {
  inside bash -c 'ip -o link; nft list ruleset
    find /etc/svnet /run/svnet /srv/state /var/lib/svnet 2>/dev/null
    find /etc/systemd/system /var/lib/systemd -name "svnet*" ! -name "*.d"' >"$scratch/left" || true
  cat "$scratch/left"
  ! grep -E 'svbr0|svred0|svvm1eth0|svvm9eth0|^/' "$scratch/left"
}
check "nothing of ours is left" nothing_of_ours
others_are_as_before() {
  diff <(echo "$foreign") <(foreign_rules) &&
    [[ -z $(inside bash -c 'nft list table inet firewalld | grep -F svbr0') ]]
}
check "other packet filters are as they were" others_are_as_before
check "what is not ours is left alone" inside bash -c \
  'ip link show svforeign && ip link show br-foreign && ip link show svother && nft list table inet foreign && test -e /srv/mine/BBBBBBBBBBBBBBB'
