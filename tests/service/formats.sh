# shellcheck shell=bash
# What `svnetctl --format cloud-init` prints, through cloud-init's own parser, as it makes
# the files of three guests' network programs of it. Sourced by tests/service/run.sh, when the
# package is installed and alice has a TAP.
step "cloud-init"

# converted KIND FILE: what cloud-init makes of it, without blanks and comments.
converted() {
  inside rm -rf /tmp/converted
  inside cloud-init devel net-convert --kind yaml --network-data /tmp/network-config \
    --directory /tmp/converted --distro debian --output-kind "$1" >&2 || return 1
  inside sed '/^#/d; /^$/d; s/^[ -]*//; s/ *= */=/' "/tmp/converted/$2" | tee /dev/stderr
}
has_lines() {
  local text=$1 line
  for line in "${@:2}"; do
    grep -qxF -- "$line" <<<"$text" || { echo "there is no line '$line'" && return 1; }
  done
}
cloud_init_takes_it() {
  as alice svnetctl show vm1 --format cloud-init | inside tee /tmp/network-config
  has_lines "$(converted networkd etc/systemd/network/10-cloud-init-eth0.network)" \
    MACAddress=02:29:a3:2f:41:c8 Address=172.30.0.2/24 Gateway=172.30.0.1 \
    Destination=0.0.0.0/0 MTUBytes=1500 &&
    has_lines "$(converted eni etc/network/interfaces.d/50-cloud-init)" \
      'iface eth0 inet static' 'address 172.30.0.2/24' 'mtu 1500' \
      'post-up route add default gw 172.30.0.1 || true' &&
    has_lines "$(converted netplan etc/netplan/50-cloud-init.yaml)" \
      '172.30.0.2/24' 'macaddress: 02:29:a3:2f:41:c8' 'mtu: 1500' \
      'to: 0.0.0.0/0' 'via: 172.30.0.1'
}
check "cloud-init takes what svnetctl prints for it" cloud_init_takes_it
