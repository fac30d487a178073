#include "daemon/firewall/nft_socket.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "absl/strings/string_view.h"
#include "daemon/base/error.h"
#include "daemon/base/fault_point.h"
#include "daemon/base/status_macros.h"
#include "daemon/netlink/netlink_error.h"

namespace svnet {
namespace {

constexpr absl::string_view kContext = "nftables";
// Dormant, which an empty table is anyway, because of NftTableInfo::BreaksJson.
constexpr uint32_t kOwnerAndDormant = NftTableInfo::kOwner | NFT_TABLE_F_DORMANT;
constexpr uint32_t kOwnerAndPersist = NftTableInfo::kOwner | NftTableInfo::kPersist;
constexpr std::array<uint8_t, 3> kFamilies = {NFPROTO_INET, NFPROTO_BRIDGE, NFPROTO_ARP};

}  // namespace

absl::StatusOr<NftSocket> NftSocket::Open() {
  SVNET_ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::Open(NETLINK_NETFILTER));
  return NftSocket(std::move(socket));
}

absl::StatusOr<NftSocket> NftSocket::Share(UniqueFd socket) {
  SVNET_ASSIGN_OR_RETURN(NetlinkSocket shared, NetlinkSocket::Share(std::move(socket)));
  return NftSocket(std::move(shared));
}

absl::StatusOr<uint32_t> NftSocket::ReadGeneration() {
  std::optional<uint32_t> generation;
  const absl::Status status =
      socket_.Get(NftMessage(NFT_MSG_GETGEN, 0, AF_UNSPEC), [&](const NetlinkReader& answer) {
        generation = answer.attributes<nfgenmsg>().Get<uint32_t>(NFTA_GEN_ID);
      });
  SVNET_RETURN_IF_ERROR(WithContext(kContext, status));
  if (generation.has_value()) return ntohl(*generation);
  return absl::InternalError("nftables: no generation in the answer");
}

absl::StatusOr<bool> NftSocket::HasRules(NftElement::Family family, const std::string& table,
                                         const std::string& chain) {
  const auto request = [&] {
    NetlinkMessage message = NftMessage(NFT_MSG_GETRULE, 0, static_cast<uint8_t>(family));
    message.PutText(NFTA_RULE_TABLE, table);
    message.PutText(NFTA_RULE_CHAIN, chain);
    return message;
  };
  bool has_rules = false;
  const absl::Status status = socket_.Dump(
      request, [&] { has_rules = false; },
      [&](const NetlinkReader& /*rule*/) { has_rules = true; });
  if (ErrnoOf(status) == ENOENT) return false;
  SVNET_RETURN_IF_ERROR(WithContext(kContext, status));
  return has_rules;
}

absl::Status NftSocket::Add(const std::string& table, const std::vector<NftElement>& elements,
                            const std::vector<NftElement>& shared) {
  const absl::Status status = ChangeElements(table, {ElementStep::kAddNew}, elements, shared);
  if (!absl::IsAlreadyExists(status)) return status;
  // One that is there has undone the rest: so now all are there first, and then taken away, because
  // a transaction that changes nothing does not count (transactions).
  return ChangeElements(table, {ElementStep::kAdd, ElementStep::kDelete, ElementStep::kAddNew},
                        elements, shared);
}

absl::Status NftSocket::Delete(const std::string& table, const std::vector<NftElement>& elements) {
  const absl::Status status = ChangeElements(table, {ElementStep::kDelete}, elements);
  if (!absl::IsNotFound(status)) return status;
  // One that is not there has undone the rest: so now it is added first.
  return ChangeElements(table, {ElementStep::kAdd, ElementStep::kDelete}, elements);
}

absl::Status NftSocket::ChangeElements(const std::string& table,
                                       const std::vector<ElementStep>& steps,
                                       const std::vector<NftElement>& elements,
                                       const std::vector<NftElement>& shared) {
  std::vector<NetlinkMessage> requests;
  requests.reserve(steps.size() * elements.size() + shared.size());
  for (const ElementStep step : steps) {
    for (const NftElement& element : elements) {
      requests.push_back(ElementMessage(step, table, element));
    }
  }
  for (const NftElement& element : shared) {
    requests.push_back(ElementMessage(ElementStep::kAdd, table, element));
  }
  return ChangeAll(std::move(requests));
}

absl::Status NftSocket::AddRules(const std::string& table,
                                 const std::vector<QuotedAddressRule>& rules) {
  std::vector<NetlinkMessage> requests;
  requests.reserve(rules.size());
  for (const QuotedAddressRule& rule : rules) requests.push_back(NewRule(table, rule));
  return ChangeAll(std::move(requests));
}

absl::StatusOr<std::vector<NftTableInfo>> NftSocket::ListTables(
    const std::vector<std::string>& names) {
  SVNET_ASSIGN_OR_RETURN(std::vector<NftTableInfo> tables, ListNftTables(socket_));
  const auto is_other = [&](const NftTableInfo& table) {
    return std::find(kFamilies.begin(), kFamilies.end(), table.family) == kFamilies.end() ||
           std::find(names.begin(), names.end(), table.name) == names.end();
  };
  tables.erase(std::remove_if(tables.begin(), tables.end(), is_other), tables.end());
  return tables;
}

absl::StatusOr<bool> NftSocket::CanPersist(const std::string& name) {
  std::vector<NetlinkMessage> requests;
  requests.push_back(NewTable(NFPROTO_INET, name, kOwnerAndPersist, ""));
  requests.push_back(DeleteTable(NFPROTO_INET, name));
  absl::Status status = FaultPoint("rules.probe");
  if (status.ok()) status = ChangeAll(std::move(requests));
  if (absl::IsUnimplemented(status) || absl::IsInvalidArgument(status)) return false;
  SVNET_RETURN_IF_ERROR(status);
  return true;
}

absl::Status NftSocket::MakePersistentTables(const std::string& name, const std::string& comment,
                                             const std::vector<NftTableInfo>& tables) {
  std::vector<NetlinkMessage> requests;
  for (const NftTableInfo& table : tables)
    requests.push_back(DeleteTable(table.family, table.name));
  for (const uint8_t family : kFamilies) {
    requests.push_back(NewTable(family, name, kOwnerAndPersist, comment));
  }
  return ChangeAll(std::move(requests));
}

absl::Status NftSocket::Adopt(const std::vector<NftTableInfo>& orphans) {
  std::vector<NetlinkMessage> requests;
  for (const NftTableInfo& table : orphans) {
    NetlinkMessage request = NftMessage(NFT_MSG_NEWTABLE, 0, table.family);
    request.PutText(NFTA_TABLE_NAME, table.name);
    request.Put(NFTA_TABLE_FLAGS, htonl(table.flags | NftTableInfo::kOwner));
    requests.push_back(std::move(request));
  }
  return ChangeAll(std::move(requests));
}

absl::Status NftSocket::AcceptAll(const std::vector<NftTableInfo>& tables) {
  std::vector<NetlinkMessage> requests;
  for (const NftTableInfo& table : tables) {
    SVNET_ASSIGN_OR_RETURN(const std::vector<std::string> chains,
                           ListNftBaseChains(socket_, table));
    for (const std::string& chain : chains) requests.push_back(InsertAccept(table, chain));
  }
  return ChangeAll(std::move(requests));
}

absl::Status NftSocket::DeleteTables(const std::vector<NftTableInfo>& tables) {
  std::vector<NetlinkMessage> requests;
  for (const NftTableInfo& table : tables)
    requests.push_back(DeleteTable(table.family, table.name));
  return ChangeAll(std::move(requests));
}

absl::Status NftSocket::AddOwnedTable(const std::string& table) {
  std::vector<NetlinkMessage> requests;
  requests.push_back(NewTable(NFPROTO_INET, table, kOwnerAndDormant, ""));
  const absl::Status status = ChangeAll(std::move(requests));
  if (!absl::IsAlreadyExists(status)) return status;
  requests.clear();
  requests.push_back(DeleteTable(NFPROTO_INET, table));
  requests.push_back(NewTable(NFPROTO_INET, table, kOwnerAndDormant, ""));
  return ChangeAll(std::move(requests));
}

absl::Status NftSocket::ChangeAll(std::vector<NetlinkMessage> requests) {
  if (requests.empty()) return absl::OkStatus();
  SVNET_RETURN_IF_ERROR(
      WithContext(kContext, socket_.TransactBatch(NFNL_SUBSYS_NFTABLES, std::move(requests))));
  ++transactions_;
  return absl::OkStatus();
}

}  // namespace svnet
