#include "daemon/netlink/nft_tables.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <algorithm>

#include "absl/functional/function_ref.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

NetlinkMessage ListRequest(int type, uint8_t family) {
  return {NFNL_SUBSYS_NFTABLES << 8 | type, 0,
          nfgenmsg{.nfgen_family = family, .version = NFNETLINK_V0, .res_id = 0}};
}

NftTableInfo ParseTable(const NetlinkReader& message) {
  const NetlinkAttributes attributes = message.attributes<nfgenmsg>();
  return {.family = message.fixed<nfgenmsg>().nfgen_family,
          .name = attributes.GetText(NFTA_TABLE_NAME),
          .flags = ntohl(attributes.Get<uint32_t>(NFTA_TABLE_FLAGS).value_or(0)),
          .use = ntohl(attributes.Get<uint32_t>(NFTA_TABLE_USE).value_or(0)),
          .handle = be64toh(attributes.Get<uint64_t>(NFTA_TABLE_HANDLE).value_or(0)),
          .owner = ntohl(attributes.Get<uint32_t>(NFTA_TABLE_OWNER).value_or(0))};
}

absl::string_view FamilyName(uint8_t family) {
  switch (family) {
    case NFPROTO_INET:
      return "inet";
    case NFPROTO_IPV4:
      return "ip";
    case NFPROTO_IPV6:
      return "ip6";
    case NFPROTO_ARP:
      return "arp";
    case NFPROTO_BRIDGE:
      return "bridge";
    case NFPROTO_NETDEV:
      return "netdev";
    default:
      return "";
  }
}

// The kernel takes any text as a name; this is what may become part of a command.
bool IsPlain(absl::string_view name) {
  return !name.empty() && absl::ascii_isalpha(name[0]) &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.';
         });
}

absl::StatusOr<std::vector<std::string>> ListChainsThat(
    NetlinkSocket& socket, const NftTableInfo& table,
    absl::FunctionRef<bool(const NetlinkAttributes&)> pass) {
  std::vector<std::string> chains;
  SVNET_RETURN_IF_ERROR(socket.Dump(
      [&] { return ListRequest(NFT_MSG_GETCHAIN, table.family); }, [&] { chains.clear(); },
      [&](const NetlinkReader& message) {
        const NetlinkAttributes attributes = message.attributes<nfgenmsg>();
        if (message.fixed<nfgenmsg>().nfgen_family == table.family &&
            attributes.GetText(NFTA_CHAIN_TABLE) == table.name && pass(attributes)) {
          chains.push_back(attributes.GetText(NFTA_CHAIN_NAME));
        }
      }));
  return chains;
}

}  // namespace

std::string NftTableInfo::Words() const { return absl::StrCat(FamilyName(family), " ", name); }

absl::StatusOr<std::vector<NftTableInfo>> ListNftTables(NetlinkSocket& socket) {
  std::vector<NftTableInfo> tables;
  SVNET_RETURN_IF_ERROR(socket.Dump(
      [] { return ListRequest(NFT_MSG_GETTABLE, NFPROTO_UNSPEC); }, [&] { tables.clear(); },
      [&](const NetlinkReader& message) { tables.push_back(ParseTable(message)); }));
  return tables;
}

absl::StatusOr<std::vector<std::string>> ListNftChains(NetlinkSocket& socket,
                                                       const NftTableInfo& table) {
  return ListChainsThat(socket, table, [](const NetlinkAttributes& /*chain*/) { return true; });
}

absl::StatusOr<std::vector<std::string>> ListNftBaseChains(NetlinkSocket& socket,
                                                           const NftTableInfo& table) {
  return ListChainsThat(socket, table, [](const NetlinkAttributes& chain) {
    return chain.Find(NFTA_CHAIN_HOOK).has_value();
  });
}

absl::StatusOr<std::vector<std::string>> CommandsToListRules(
    const std::vector<std::string>& families) {
  SVNET_ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::Open(NETLINK_NETFILTER));
  SVNET_ASSIGN_OR_RETURN(std::vector<NftTableInfo> tables, ListNftTables(socket));
  const auto is_other = [&](const NftTableInfo& table) {
    return !families.empty() &&
           std::find(families.begin(), families.end(), FamilyName(table.family)) == families.end();
  };
  tables.erase(std::remove_if(tables.begin(), tables.end(), is_other), tables.end());
  std::vector<std::string> commands;
  if (std::none_of(tables.begin(), tables.end(),
                   [](const NftTableInfo& table) { return table.BreaksJson(); })) {
    if (families.empty()) return std::vector<std::string>{"list ruleset\n"};
    for (const std::string& family : families) {
      commands.push_back(absl::StrCat("list ruleset ", family, "\n"));
    }
    return commands;
  }
  for (const NftTableInfo& table : tables) {
    if (!IsPlain(table.name) || FamilyName(table.family).empty()) continue;
    if (!table.BreaksJson()) {
      commands.push_back(absl::StrCat("list table ", table.Words(), "\n"));
      continue;
    }
    SVNET_ASSIGN_OR_RETURN(const std::vector<std::string> chains, ListNftChains(socket, table));
    for (const std::string& chain : chains) {
      if (!IsPlain(chain)) continue;
      commands.push_back(absl::StrCat("list chain ", table.Words(), " ", chain, "\n"));
    }
  }
  return commands;
}

}  // namespace svnet
