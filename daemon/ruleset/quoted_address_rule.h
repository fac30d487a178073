// Rules that turn an address in the packet that an ICMP error quotes.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "daemon/ruleset/binding.h"
#include "daemon/ruleset/ruleset_spec.h"

namespace svnet {

// nft(8) has no words for it: it would leave the quoted header's checksum as it is. With that put
// right, too, the error's own stays right.
struct QuotedAddressRule {
  std::string chain;  // of the table of the family inet
  enum class Link { kIn, kOut };
  Link link;  // by which link the error comes in, or leaves
  // Its elements: the link and the quoted address : what it becomes. One that is not there stays as
  // it is.
  absl::string_view map;
  enum class Which { kSource, kDestination };
  Which which;
};

// Those that the text of RenderRuleset has chains for.
std::vector<QuotedAddressRule> QuotedAddressRulesOf(const RulesetSpec& spec,
                                                    const std::vector<NetworkGuests>& networks);

}  // namespace svnet
