// The concerns that the rules are made of. A new one (what guests may reach outside, say) is a
// file in this folder, a line in RulesetParts, and a golden text.
#pragma once

#include <vector>

#include "absl/strings/string_view.h"
#include "daemon/ruleset/binding.h"
#include "daemon/ruleset/guard.h"
#include "daemon/ruleset/nft_element.h"
#include "daemon/ruleset/ruleset_slots.h"
#include "daemon/ruleset/ruleset_spec.h"

namespace svnet {

// The rules that are being made.
struct RulesetContext {
  const RulesetSpec& spec;
  std::vector<GuardedNetwork> networks;  // those that are served
  bool views = false;                    // HaveViews

  bool Has(NetworkKind kind) const;
};

struct RulesetPart {
  absl::string_view name;
  // What all networks have together; nullptr: nothing.
  void (*render_shared)(const RulesetContext& context, RulesetSlots* slots);
  // What one has; nullptr: nothing.
  void (*render)(const RulesetNetwork& network, const RulesetContext& context, RulesetSlots* slots);
  // What a guest adds to the sets of this part; nullptr: nothing.
  void (*add_elements)(const Binding& binding, const RulesetNetwork& network,
                       std::vector<NftElement>* elements) = nullptr;
  // What it adds that other guests may need, too: it stays until the rules are made anew.
  void (*add_lasting_elements)(const Binding& binding, const RulesetNetwork& network,
                               std::vector<NftElement>* elements) = nullptr;
};

// What a guest believes of its addresses is turned into what its lease has, and back.
extern const RulesetPart kGuestView;
// A guest sends with its own MAC and address only, and gets nothing that is for others.
extern const RulesetPart kAntiSpoof;
// Which guests reach each other.
extern const RulesetPart kIsolation;
// Guests of two networks reach each other only if both say so.
extern const RulesetPart kBetweenNetworks;
// Destinations that no guest reaches, wherever they are.
extern const RulesetPart kBlockedDestinations;
// Guests' TCP connections have segments that fit the routes.
extern const RulesetPart kSegmentSize;
// Nobody outside opens a connection to a guest.
extern const RulesetPart kInbound;
// What guests reach of the host itself.
extern const RulesetPart kHostAccess;
// Which of the host's users reach guests.
extern const RulesetPart kLocalAccess;
// What the host forwards for others, where svnetd has turned forwarding on.
extern const RulesetPart kOtherForwarding;
// How many connections guests may have open.
extern const RulesetPart kConnectionLimits;
// Guests leave with the host's address.
extern const RulesetPart kMasquerade;

// All of them, in the order in which a packet meets those that share a place.
const std::vector<const RulesetPart*>& RulesetParts();

}  // namespace svnet
