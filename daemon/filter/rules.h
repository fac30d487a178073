// Packet filters, as far as they decide over guests: values, and what a packet meets in
// them. All pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace svnet {

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
  std::string comment;
  // nftables' number for it; 0 elsewhere.
  uint64_t handle = 0;

  // Whether every packet meets it.
  bool IsUnconditional() const { return from.empty() && to.empty() && !established && !opaque; }
  friend bool operator==(const FilterRule&, const FilterRule&) = default;
};

struct FilterChain {
  // nftables' family, or "legacy" for iptables-legacy.
  std::string family;
  std::string table;
  std::string name;
  // "forward"; empty for one that is only jumped to.
  std::string hook;
  bool drops_by_default = false;
  std::vector<FilterRule> rules;

  bool IsBesides(const FilterChain& other) const {
    return family == other.family && table == other.table;
  }
  friend bool operator==(const FilterChain&, const FilterChain&) = default;
};

struct FilterPacket {
  std::string from;
  std::string to;
  bool established = false;
};

// Where a packet ends.
struct FilterDrop {
  std::string chain;
  bool by_policy = false;  // and not by a rule
};

// Where `base`, one of `chains`, drops the packet; nullopt: it lets it pass. A rule that
// is not understood counts as one that the packet does not meet; but an accepting one
// that only wants more of a connection that is known (-m conntrack) is met.
std::optional<FilterDrop> FindDrop(const std::vector<FilterChain>& chains, const FilterChain& base,
                                   const FilterPacket& packet);

inline bool Drops(const std::vector<FilterChain>& chains, const FilterChain& base,
                  const FilterPacket& packet) {
  return FindDrop(chains, base, packet).has_value();
}

}  // namespace svnet
