// Requests to nftables, as the kernel reads them (linux/netfilter/nf_tables.h).
#pragma once

#include <cstdint>
#include <string>

#include "daemon/netlink/netlink_message.h"
#include "daemon/netlink/nft_tables.h"
#include "daemon/ruleset/nft_element.h"
#include "daemon/ruleset/quoted_address_rule.h"

namespace svnet {

// `type`: NFT_MSG_... `family`: NFPROTO_...
NetlinkMessage NftMessage(int type, int flags, uint8_t family);

enum class ElementStep {
  kAddNew,  // AlreadyExists if it is there
  kAdd,
  kDelete,  // NotFound if it is not there
};
NetlinkMessage ElementMessage(ElementStep step, const std::string& table,
                              const NftElement& element);

// `comment`: what nft(8) shows of the table; empty: none.
NetlinkMessage NewTable(uint8_t family, const std::string& name, uint32_t flags,
                        const std::string& comment);
NetlinkMessage DeleteTable(uint8_t family, const std::string& name);

// A chain's new first rule, which accepts all.
NetlinkMessage InsertAccept(const NftTableInfo& table, const std::string& chain);

// The last of its chain.
NetlinkMessage NewRule(const std::string& table, const QuotedAddressRule& rule);

}  // namespace svnet
