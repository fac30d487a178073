// Which packets are a network's: the matches, of one network or of many at once.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "daemon/ruleset/binding.h"
#include "daemon/ruleset/ruleset_network.h"

namespace svnet {

// In texts they are $from_guests and so on.
enum class Guard {
  kFromGuests,  // comes from guests' side: by the bridge, or by a TAP that is routed to
  kToGuests,    // goes to it
  kFromTaps,    // comes by a TAP of a bridge, also one whose guest is cut off
  kToTaps,      // goes to one
  kSource,      // has an address of the network's prefix as its source
  // The rest of the line, which looks into a set, matches nothing but what these do.
  kKnownFromTaps,
  kKnownToTaps,
};

// A network and its link, as its guards need them.
struct GuardedNetwork {
  const RulesetNetwork* network;
  GuestBridge bridge;
};

// "from_guests".
absl::string_view NameOf(Guard guard);

// A line without its guard.
struct GuardedLine {
  Guard guard;  // never one of the last two: what they imply
  std::string rest;
};
// nullopt: it has none.
std::optional<GuardedLine> FindGuard(absl::string_view line);

// The line with its guard as a match, for the only network that there is.
std::string WithMatch(absl::string_view line, const GuardedNetwork& network);

// A rule, or two, that send each network's packets to its verdict, however many networks there
// are. `verdicts`: at least one; bare ("goto x").
std::string Dispatch(Guard guard,
                     const std::vector<std::pair<GuardedNetwork, std::string>>& verdicts);

}  // namespace svnet
