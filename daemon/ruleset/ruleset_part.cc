#include "daemon/ruleset/ruleset_part.h"

namespace svnet {

const std::vector<const RulesetPart*>& RulesetParts() {
  static const auto* const parts = new std::vector<const RulesetPart*>{
      &kAntiSpoof,  &kIsolation,   &kBlockedDestinations, &kSegmentSize,      &kInbound,
      &kHostAccess, &kLocalAccess, &kOtherForwarding,     &kConnectionLimits, &kMasquerade};
  return *parts;
}

}  // namespace svnet
