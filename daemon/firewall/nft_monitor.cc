#include "daemon/firewall/nft_monitor.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <algorithm>
#include <array>
#include <optional>

#include "absl/strings/strip.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

constexpr std::array<int, 1> kGroups = {NFNLGRP_NFTABLES};
constexpr int kReceiveBuffer = 16 << 20;  // bytes; the elements of 1,000 guests are 1 MiB

// In all messages on what is in a table its name comes first (NFTA_TABLE_NAME,
// NFTA_CHAIN_TABLE and so on are all 1).
bool IsOfAny(const NetlinkReader& message, const std::vector<std::string>& tables) {
  const int family = message.fixed<nfgenmsg>().nfgen_family;
  if (family != NFPROTO_INET && family != NFPROTO_BRIDGE && family != NFPROTO_ARP) return false;
  absl::string_view attributes = message.attribute_bytes<nfgenmsg>();
  const std::optional<NetlinkAttribute> first = TakeAttribute(&attributes);
  if (!first.has_value() || first->type != NFTA_TABLE_NAME) return false;
  const absl::string_view name = absl::StripSuffix(first->value, absl::string_view("", 1));
  return std::find(tables.begin(), tables.end(), name) != tables.end();
}

}  // namespace

absl::StatusOr<std::unique_ptr<NftMonitor>> NftMonitor::Open(std::vector<std::string> tables,
                                                             uint32_t port) {
  absl::StatusOr<NetlinkListener> listener =
      NetlinkListener::Open(NETLINK_NETFILTER, kGroups, kReceiveBuffer);
  if (!listener.ok()) return WithContext("nftables (it takes CAP_NET_ADMIN)", listener.status());
  return std::unique_ptr<NftMonitor>(new NftMonitor(*std::move(listener), std::move(tables), port));
}

absl::StatusOr<RuleChanges> NftMonitor::Take(uint32_t /*own*/) {
  RuleChanges changes;
  SVNET_ASSIGN_OR_RETURN(const bool lost, listener_.Take([&](const NetlinkReader& message) {
    Add(message, &changes);
  }));
  if (lost) changes = {.watched = true, .others = true};
  return changes;
}

void NftMonitor::Add(const NetlinkReader& message, RuleChanges* changes) {
  if (message.type() != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN)) {
    const bool watched = IsOfAny(message, tables_);
    touched_ |= watched;
    changes->others |= !watched;
  } else if (std::exchange(touched_, false)) {
    changes->watched |= message.port() != port_;
  }
}

}  // namespace svnet
