// The text of tables, with places for what the parts of the rules have.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "daemon/ruleset/guard.h"
#include "daemon/ruleset/ruleset_slots.h"

namespace svnet {

// What the names of a network's own chains and counters begin with: "" or "name/".
std::string OwnPrefix(const NetworkName& network);

// Where there is one network, its lines are in the chains of the hooks themselves. Where there are
// several, one lookup leads a packet to its network's.
class TableTemplate {
 public:
  // What `networks` name must outlive it.
  explicit TableTemplate(std::vector<GuardedNetwork> networks)
      : networks_(std::move(networks)), own_(networks_.size()) {}

  // What the parts have for all networks together, and for the i-th alone.
  RulesetSlots* shared() { return &shared_; }
  RulesetSlots* own(size_t i) { return &own_[i]; }

  // The text with all its places filled.
  std::string Fill(absl::string_view text) const;

 private:
  void FillShared(absl::string_view text, std::string* out) const;
  void FillPlace(const std::string& place, std::string* out) const;
  // In a chain of a hook. Appends to `chains` those that the lines there need.
  void FillHook(const std::string& place, std::string* out, std::string* chains) const;
  void FillOwn(size_t i, absl::string_view text, std::string* out) const;
  std::string FillLine(size_t i, absl::string_view line) const;

  const std::vector<GuardedNetwork> networks_;
  RulesetSlots shared_;
  std::vector<RulesetSlots> own_;
};

}  // namespace svnet
