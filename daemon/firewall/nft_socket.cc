#include "daemon/firewall/nft_socket.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <initializer_list>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

constexpr absl::string_view kContext = "nftables";
// Dormant, which an empty table is anyway, because of NftTableInfo::BreaksJson.
constexpr uint32_t kOwnerAndDormant = NftTableInfo::kOwner | NFT_TABLE_F_DORMANT;
constexpr uint32_t kOwnerAndPersist = NftTableInfo::kOwner | NftTableInfo::kPersist;
constexpr std::array<uint8_t, 3> kFamilies = {NFPROTO_INET, NFPROTO_BRIDGE, NFPROTO_ARP};

// `type`: NFT_MSG_... `family`: NFPROTO_...
NetlinkMessage NftMessage(int type, int flags, uint8_t family) {
  return {NFNL_SUBSYS_NFTABLES << 8 | type, flags,
          nfgenmsg{.nfgen_family = family, .version = NFNETLINK_V0, .res_id = 0}};
}

void PutData(NetlinkMessage* message, int type, absl::string_view value) {
  const Nest data(message, type);
  message->PutBytes(NFTA_DATA_VALUE, value);
}

NetlinkMessage ElementMessage(int type, const std::string& table, const NftElement& element) {
  NetlinkMessage message = NftMessage(type, type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0,
                                      static_cast<uint8_t>(element.family));
  message.PutText(NFTA_SET_ELEM_LIST_TABLE, table);
  message.PutText(NFTA_SET_ELEM_LIST_SET, element.set);
  {
    const Nest list(&message, NFTA_SET_ELEM_LIST_ELEMENTS);
    const Nest only(&message, NFTA_LIST_ELEM);
    PutData(&message, NFTA_SET_ELEM_KEY, element.KeyBytes());
    const bool has_data = type == NFT_MSG_NEWSETELEM && !element.data.empty();
    if (has_data) PutData(&message, NFTA_SET_ELEM_DATA, element.DataBytes());
  }
  return message;
}

// `comment`: what nft(8) shows of the table; empty: none.
NetlinkMessage NewTable(uint8_t family, const std::string& name, uint32_t flags,
                        const std::string& comment) {
  NetlinkMessage message = NftMessage(NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, family);
  message.PutText(NFTA_TABLE_NAME, name);
  message.Put(NFTA_TABLE_FLAGS, htonl(flags));
  if (comment.empty()) return message;
  // libnftnl's: a type (NFTNL_UDATA_TABLE_COMMENT), a length, and the text with its NUL.
  const char start[] = {0, static_cast<char>(comment.size() + 1)};
  message.PutBytes(NFTA_TABLE_USERDATA, absl::StrCat(absl::string_view(start, sizeof(start)),
                                                     comment, absl::string_view("", 1)));
  return message;
}

NetlinkMessage DeleteTable(uint8_t family, const std::string& name) {
  NetlinkMessage message = NftMessage(NFT_MSG_DELTABLE, 0, family);
  message.PutText(NFTA_TABLE_NAME, name);
  return message;
}

// A chain's new first rule.
NetlinkMessage InsertAccept(const NftTableInfo& table, const std::string& chain) {
  NetlinkMessage message = NftMessage(NFT_MSG_NEWRULE, NLM_F_CREATE, table.family);
  message.PutText(NFTA_RULE_TABLE, table.name);
  message.PutText(NFTA_RULE_CHAIN, chain);
  {
    const Nest expressions(&message, NFTA_RULE_EXPRESSIONS);
    const Nest only(&message, NFTA_LIST_ELEM);
    message.PutText(NFTA_EXPR_NAME, "immediate");
    const Nest expression(&message, NFTA_EXPR_DATA);
    message.Put(NFTA_IMMEDIATE_DREG, htonl(NFT_REG_VERDICT));
    const Nest data(&message, NFTA_IMMEDIATE_DATA);
    const Nest verdict(&message, NFTA_DATA_VERDICT);
    message.Put(NFTA_VERDICT_CODE, htonl(NF_ACCEPT));
  }
  return message;
}

// The parts of a rule (linux/netfilter/nf_tables.h). Numbers are in network order.
class RuleMessage {
 public:
  RuleMessage(uint8_t family, const std::string& table, const std::string& chain)
      : message_(NftMessage(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, family)) {
    message_.PutText(NFTA_RULE_TABLE, table);
    message_.PutText(NFTA_RULE_CHAIN, chain);
    expressions_.emplace(&message_, NFTA_RULE_EXPRESSIONS);
  }

  void LoadMeta(uint32_t key, uint32_t to) {
    Add("meta", {{NFTA_META_KEY, key}, {NFTA_META_DREG, to}});
  }
  // Four bytes from `offset` of the transport header.
  void LoadPayload(uint32_t offset, uint32_t to) {
    Add("payload", {{NFTA_PAYLOAD_DREG, to},
                    {NFTA_PAYLOAD_BASE, NFT_PAYLOAD_TRANSPORT_HEADER},
                    {NFTA_PAYLOAD_OFFSET, offset},
                    {NFTA_PAYLOAD_LEN, 4}});
  }
  // Into the same place; an Internet checksum at `checksum` goes with it.
  void StorePayload(uint32_t from, uint32_t offset, uint32_t checksum) {
    Add("payload", {{NFTA_PAYLOAD_SREG, from},
                    {NFTA_PAYLOAD_BASE, NFT_PAYLOAD_TRANSPORT_HEADER},
                    {NFTA_PAYLOAD_OFFSET, offset},
                    {NFTA_PAYLOAD_LEN, 4},
                    {NFTA_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_INET},
                    {NFTA_PAYLOAD_CSUM_OFFSET, checksum}});
  }
  // The rule ends here if the map has no such key.
  void LookUp(absl::string_view map, uint32_t key, uint32_t to) {
    const Nest expression(&message_, NFTA_LIST_ELEM);
    message_.PutText(NFTA_EXPR_NAME, "lookup");
    const Nest data(&message_, NFTA_EXPR_DATA);
    message_.PutText(NFTA_LOOKUP_SET, map);
    message_.Put(NFTA_LOOKUP_SREG, htonl(key));
    message_.Put(NFTA_LOOKUP_DREG, htonl(to));
  }

  NetlinkMessage Take() {
    expressions_.reset();
    return std::move(message_);
  }

 private:
  void Add(absl::string_view name, std::initializer_list<std::pair<int, uint32_t>> values) {
    const Nest expression(&message_, NFTA_LIST_ELEM);
    message_.PutText(NFTA_EXPR_NAME, name);
    const Nest data(&message_, NFTA_EXPR_DATA);
    for (const auto& [type, value] : values) message_.Put(type, htonl(value));
  }

  NetlinkMessage message_;
  std::optional<Nest> expressions_;
};

// Of an ICMP error's quoted IPv4 header, from the start of the ICMP header.
constexpr uint32_t kQuotedHeader = 8;
constexpr uint32_t kQuotedChecksum = kQuotedHeader + 10;
constexpr uint32_t kQuotedSource = kQuotedHeader + 12;
constexpr uint32_t kQuotedDestination = kQuotedHeader + 16;

NetlinkMessage NewRule(const std::string& table, const QuotedAddressRule& rule) {
  const uint32_t offset =
      rule.which == QuotedAddressRule::Which::kSource ? kQuotedSource : kQuotedDestination;
  const bool by_in = rule.link == QuotedAddressRule::Link::kIn;
  RuleMessage message(NFPROTO_INET, table, rule.chain);
  message.LoadMeta(by_in ? NFT_META_IIF : NFT_META_OIF, NFT_REG32_00);
  message.LoadPayload(offset, NFT_REG32_01);
  message.LookUp(rule.map, NFT_REG32_00, NFT_REG32_02);
  message.StorePayload(NFT_REG32_02, offset, kQuotedChecksum);
  return message.Take();
}

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

absl::StatusOr<bool> NftSocket::HasChain(NftElement::Family family, const std::string& table,
                                         const std::string& chain) {
  NetlinkMessage request = NftMessage(NFT_MSG_GETCHAIN, 0, static_cast<uint8_t>(family));
  request.PutText(NFTA_CHAIN_TABLE, table);
  request.PutText(NFTA_CHAIN_NAME, chain);
  const absl::Status status = socket_.Transact(std::move(request));
  if (ErrnoOf(status) == ENOENT) return false;
  SVNET_RETURN_IF_ERROR(WithContext(kContext, status));
  return true;
}

absl::Status NftSocket::Add(const std::string& table, const std::vector<NftElement>& elements) {
  return ChangeElements(table, {NFT_MSG_NEWSETELEM}, elements);
}

absl::Status NftSocket::Delete(const std::string& table, const std::vector<NftElement>& elements) {
  const absl::Status status = ChangeElements(table, {NFT_MSG_DELSETELEM}, elements);
  if (!absl::IsNotFound(status)) return status;
  // One that is not there has undone the rest: so now it is added first.
  return ChangeElements(table, {NFT_MSG_NEWSETELEM, NFT_MSG_DELSETELEM}, elements);
}

absl::Status NftSocket::ChangeElements(const std::string& table, const std::vector<int>& types,
                                       const std::vector<NftElement>& elements) {
  std::vector<NetlinkMessage> requests;
  requests.reserve(types.size() * elements.size());
  for (const int type : types) {
    for (const NftElement& element : elements) {
      requests.push_back(ElementMessage(type, table, element));
    }
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
  return WithContext(kContext, socket_.TransactBatch(NFNL_SUBSYS_NFTABLES, std::move(requests)));
}

}  // namespace svnet
