#!/usr/bin/env bash
# Data flows down the folders (docs/architecture.md): what each may include of the
# others, and of the libraries that only one of them may know.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

failures=0

# Prints each include of the files in folder $1 that matches $2 but not $3.
forbid() {
  local folder=$1 pattern=$2 allowed=$3 found
  found=$(grep -rnE "^#include [<\"]($pattern)" "$folder" | grep -vE "#include [<\"]($allowed)" || true)
  if [[ -n $found ]]; then
    echo "$found"
    failures=1
  fi
}

none='^$'
forbid daemon/base 'daemon/|client/|svnet/' 'daemon/base/'
# names.h says which link groups a network takes: those of two must not overlap.
forbid daemon/config 'daemon/|client/|svnet/' 'daemon/(base|config)/|daemon/lease/names.h'
forbid daemon/netlink 'daemon/|client/|svnet/' 'daemon/(base|netlink)/'
forbid daemon/kernel 'daemon/|client/|svnet/' 'daemon/(base|netlink|kernel)/'
forbid daemon/ruleset 'daemon/|client/|svnet/' 'daemon/(base|ruleset)/'
forbid daemon/firewall 'daemon/|client/|svnet/' 'daemon/(base|netlink|ruleset|firewall)/'
forbid daemon/foreign 'daemon/|client/|svnet/' \
  'daemon/(base|netlink|foreign)/|daemon/firewall/nft_commands.h'
forbid daemon/address 'daemon/|client/|svnet/' 'daemon/(base|address)/|daemon/kernel/kernel.h'
forbid daemon/lease 'daemon/|client/|svnet/' \
  'daemon/(base|address|lease)/|daemon/kernel/kernel.h|daemon/firewall/firewall.h'
forbid daemon/segment 'daemon/|client/|svnet/' \
  'daemon/(base|address|lease|segment)/|daemon/kernel/kernel.h|daemon/firewall/firewall.h'
# It works with interfaces, not with what implements them.
forbid daemon/network 'daemon/|client/|svnet/' \
  'daemon/(base|address|foreign|lease|segment|network)/|daemon/kernel/kernel.h|daemon/firewall/firewall.h|daemon/ruleset/ruleset_network.h|daemon/store/spec_store.h'
forbid daemon/metrics 'daemon/|client/|svnet/' 'daemon/(base|lease|segment|network|metrics)/'
forbid daemon/log 'daemon/|client/|svnet/' 'daemon/(base|lease|log)/|daemon/network/(caller|tap_event).h'
forbid daemon/wire 'daemon/|client/|svnet/' 'daemon/(base|wire)/'
forbid daemon/store 'daemon/|client/|svnet/' 'daemon/(base|store)/'
forbid daemon/rpc 'daemon/|client/' 'daemon/(base|address|lease|segment|log|network|metrics|rpc|wire)/'
forbid daemon/accept 'daemon/|client/' \
  'daemon/(base|address|lease|segment|log|network|metrics|rpc|wire|accept)/|daemon/config/admission_rules.h'
# Below main.cc alone: it makes and joins what the others are.
forbid daemon/service 'client/|svnet/|daemon/gate/' "$none"
# What a gate may know of svnetd: how to talk to it, and the words of errors.
forbid daemon/gate 'daemon/|client/' 'daemon/(base|wire|gate)/|daemon/rpc/error_details.h'
forbid client 'daemon/' \
  'daemon/(base|netlink|address|lease)/|daemon/config/(config|load_config).h|daemon/foreign/(blocking_chains|filter_chain|guest_traffic|iptables_legacy_table|nft_json|remedy).h'

# gRPC and HTTP are parsed in gates, and nowhere else.
for folder in daemon/*/; do
  [[ $folder == daemon/gate/ ]] || forbid "$folder" 'grpcpp/|grpc/(grpc|impl|support)|.*grpc\.pb\.h' "$none"
done
for folder in daemon/wire daemon/store daemon/base daemon/netlink daemon/kernel daemon/ruleset daemon/firewall daemon/foreign \
  daemon/address daemon/lease daemon/segment daemon/network daemon/metrics; do
  forbid "$folder" 'grpc|google/|spdlog|CLI/|toml\+\+' "$none"
done
for folder in daemon/base daemon/address daemon/lease daemon/segment daemon/network daemon/metrics \
  daemon/rpc daemon/accept daemon/wire; do
  forbid "$folder" 'netlink/|linux/' 'linux/(rtnetlink|sockios).h' # constants: RT_TABLE_MAIN, SIOCOUTQ
done
for folder in daemon/ruleset daemon/firewall daemon/foreign; do
  forbid "$folder" 'netlink/|linux/' 'linux/(netfilter|netlink.h)'
done
for folder in daemon/base daemon/netlink daemon/foreign daemon/kernel daemon/ruleset daemon/address daemon/lease daemon/segment \
  daemon/network daemon/metrics daemon/rpc; do
  forbid "$folder" 'nftables/' "$none"
done
for folder in daemon/base daemon/kernel daemon/firewall daemon/address daemon/lease daemon/segment \
  daemon/network daemon/rpc; do
  forbid "$folder" 'prometheus/' "$none"
done
# The doctor reads the kernel itself; the rest of the client asks svnetd, or the doctor.
for file in client/*.cc client/*.h; do
  forbid "$file" 'netlink/|linux/|nftables/|daemon/(address|foreign|lease|netlink)/|client/doctor/' 'client/doctor/session.h'
done

# Nothing runs a program, and nothing asks a shell; but `svnetctl run` runs its user's.
if grep -rnE '\b(system|popen|exec[lv]p?e?|posix_spawnp?)\(' daemon client |
  grep -v '^client/child\.cc:.*posix_spawnp('; then failures=1; fi
exit "$failures"
