// What the parts of the rules add to the tables.
#pragma once

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace svnet {

// By the place: the lines that start with % in ruleset.cc and in what parts add. In one place, the
// parts follow each other as in RulesetParts. Whole lines.
//
// A place of a network's own is filled with what is added for that network. In what is added for
// one, ~ before a name makes it the network's own: chains, counters, and sets that other networks
// do not share. $bridge is its bridge's ifindex, $name that link's name, $mac its MAC, $prefix the
// network's, $gateway its address.
//
// A place that starts with %% is in a chain of a hook, where all networks' packets come by. There
// each line has one guard: which packets are the network's (Guard).
class RulesetSlots {
 public:
  void Add(const std::string& slot, absl::string_view lines) {
    absl::StrAppend(&texts_[slot], lines);
  }
  // Empty: nothing was added.
  absl::string_view At(const std::string& slot) const {
    const auto found = texts_.find(slot);
    return found == texts_.end() ? "" : absl::string_view(found->second);
  }
  const std::map<std::string, std::string>& texts() const { return texts_; }

 private:
  std::map<std::string, std::string> texts_;
};

}  // namespace svnet
