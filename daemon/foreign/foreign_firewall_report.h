// What one run did to other programs' firewalls, for its caller to publish.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace svnet {

struct ForeignFirewallReport {
  struct Entry {
    enum class Kind { kRepaired, kFailed };
    Kind kind;
    std::string text;

    friend bool operator==(const Entry&, const Entry&) = default;
  };
  std::vector<Entry> entries;
  // Which other program filters the traffic that the host forwards, as in "Docker (chain FORWARD
  // of table ip filter)"; nullopt: none, or there is no network.
  std::optional<std::string> forward_filter;
};

}  // namespace svnet
