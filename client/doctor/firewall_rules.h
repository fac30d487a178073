// Other people's packet filters, as far as they decide over guests.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace svnet::client {

// A rule, as far as it is understood.
struct FilterRule {
  // Interface names; empty: any. With a + at the end, any that begins so.
  std::string from;
  std::string to;
  bool not_from = false;
  bool not_to = false;
  // Only packets of connections that are known (ct state established).
  bool established = false;
  // There are conditions that are not understood.
  bool opaque = false;
  enum class Verdict { kNone, kAccept, kDrop, kReturn, kJump };
  Verdict verdict = Verdict::kNone;
  // Of kJump; a goto is taken for one.
  std::string target;
};

struct FilterChain {
  std::string family;
  std::string table;
  std::string name;
  // "forward"; empty for one that is only jumped to.
  std::string hook;
  bool drops_by_default = false;
  std::vector<FilterRule> rules;
};

struct FilterPacket {
  std::string from;
  std::string to;
  bool established = false;
};

// Reads what `nft -j list ruleset` prints (libnftables-json(5)). InvalidArgument if it
// is no such text.
absl::StatusOr<std::vector<FilterChain>> ParseRuleset(const std::string& json);

// The packets of what `nft -j list counter` prints. NotFound if there is no counter in it.
absl::StatusOr<int64_t> ParseCounter(const std::string& json);

// Whether `base`, one of `chains`, drops the packet. Pure. A rule that is not understood
// counts as one that the packet does not meet; but an accepting one that only wants more
// of a connection that is known (-m conntrack) is met.
bool Drops(const std::vector<FilterChain>& chains, const FilterChain& base,
           const FilterPacket& packet);

}  // namespace svnet::client
