#include "daemon/firewall/nft_messages.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <initializer_list>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace svnet {
namespace {

void PutData(NetlinkMessage* message, int type, absl::string_view value) {
  const Nest data(message, type);
  message->PutBytes(NFTA_DATA_VALUE, value);
}

// The parts of a rule. Numbers are in network order.
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

}  // namespace

NetlinkMessage NftMessage(int type, int flags, uint8_t family) {
  return {NFNL_SUBSYS_NFTABLES << 8 | type, flags,
          nfgenmsg{.nfgen_family = family, .version = NFNETLINK_V0, .res_id = 0}};
}

NetlinkMessage ElementMessage(ElementStep step, const std::string& table,
                              const NftElement& element) {
  const bool adds = step != ElementStep::kDelete;
  const int create = NLM_F_CREATE | (step == ElementStep::kAddNew ? NLM_F_EXCL : 0);
  NetlinkMessage message = NftMessage(adds ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
                                      adds ? create : 0, static_cast<uint8_t>(element.family));
  message.PutText(NFTA_SET_ELEM_LIST_TABLE, table);
  message.PutText(NFTA_SET_ELEM_LIST_SET, element.set);
  {
    const Nest list(&message, NFTA_SET_ELEM_LIST_ELEMENTS);
    const Nest only(&message, NFTA_LIST_ELEM);
    PutData(&message, NFTA_SET_ELEM_KEY, element.KeyBytes());
    if (adds && !element.data.empty()) PutData(&message, NFTA_SET_ELEM_DATA, element.DataBytes());
  }
  return message;
}

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

}  // namespace svnet
