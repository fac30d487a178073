#include "daemon/ruleset/ruleset_part.h"

#include <algorithm>

namespace svnet {

bool RulesetContext::Has(NetworkKind kind) const {
  return std::any_of(networks.begin(), networks.end(),
                     [&](const GuardedNetwork& each) { return each.network->kind == kind; });
}

const std::vector<const RulesetPart*>& RulesetParts() {
  static const auto* const parts = new std::vector<const RulesetPart*>{
      &kGuestView,           &kAntiSpoof,       &kIsolation,        &kBetweenNetworks,
      &kBlockedDestinations, &kSegmentSize,     &kInbound,          &kHostAccess,
      &kLocalAccess,         &kOtherForwarding, &kConnectionLimits, &kMasquerade};
  return *parts;
}

}  // namespace svnet
