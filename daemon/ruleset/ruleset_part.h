// The concerns that the rules are made of. A new one (what guests may reach outside, say) is a
// file in this folder, a line in RulesetParts, and a golden text.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "daemon/ruleset/nft_element.h"
#include "daemon/ruleset/ruleset_spec.h"

namespace svnet {

// What parts add to the three tables, by the place in them: the lines that start with % in
// ruleset.cc. In one place, the parts follow each other as in RulesetParts. Whole lines. In
// them $bridge is the bridge's ifindex, $name its name, $mac its MAC, $prefix the network's,
// $gateway its address, and $taps are the link groups of all TAPs of svnetd on it. Matches:
// $from_guests what comes from guests' side, $to_guests what goes to it, and $leaving what guests,
// and the host with the gateway's address, send elsewhere.
class RulesetSlots {
 public:
  void Add(const std::string& slot, absl::string_view lines) {
    absl::StrAppend(&texts_[slot], lines);
  }
  const std::map<std::string, std::string>& texts() const { return texts_; }

 private:
  std::map<std::string, std::string> texts_;
};

struct RulesetPart {
  absl::string_view name;
  void (*render)(const RulesetSpec& spec, RulesetSlots* slots);
  // What a guest adds to the sets of this part; nullptr: nothing.
  void (*add_elements)(const Binding& binding, const RulesetSpec& spec,
                       std::vector<NftElement>* elements) = nullptr;
  // What it adds that other guests may need, too: it stays until the rules are made anew.
  void (*add_lasting_elements)(const Binding& binding, const RulesetSpec& spec,
                               std::vector<NftElement>* elements) = nullptr;
};

// A guest sends with its own MAC and address only, and gets nothing that is for others.
extern const RulesetPart kAntiSpoof;
// Which guests reach each other.
extern const RulesetPart kIsolation;
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
