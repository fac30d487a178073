// Chains of packet filters as values, and what happens to a packet in them. All pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/ipv4.h"

namespace svnet {

// A rule; `opaque` if it is not fully understood.
struct FilterRule {
  // Interface names; empty: any. With a + at the end: any name with that prefix.
  std::string from;
  std::string to;
  bool not_from = false;
  bool not_to = false;
  // Addresses; nullopt: any.
  std::optional<Ipv4Prefix> source = std::nullopt;
  std::optional<Ipv4Prefix> destination = std::nullopt;
  bool not_source = false;
  bool not_destination = false;
  // Only packets of known connections (ct state established).
  bool established = false;
  // The rule has conditions that are not understood.
  bool opaque = false;
  bool masquerades = false;
  enum class Verdict { kNone, kAccept, kDrop, kReturn, kJump };
  Verdict verdict = Verdict::kNone;
  // The target of kJump; a goto counts as a jump.
  std::string target;
  std::string comment;
  // nftables' number of the rule; 0 elsewhere.
  uint64_t handle = 0;

  // Whether every packet matches it.
  bool IsUnconditional() const {
    return from.empty() && to.empty() && !HasAddresses() && !established && !opaque;
  }
  bool HasAddresses() const { return source.has_value() || destination.has_value(); }
  friend bool operator==(const FilterRule&, const FilterRule&) = default;
};

// The family of iptables-legacy's chains, which nftables does not list.
inline constexpr char kIptablesLegacyFamily[] = "iptables-legacy";

struct FilterChain {
  // nftables' family, or kIptablesLegacyFamily.
  std::string family;
  std::string table;
  std::string name;
  // "forward"; empty for a chain that is only a jump target.
  std::string hook;
  bool drops_by_default = false;
  std::vector<FilterRule> rules;

  bool SameTable(const FilterChain& other) const {
    return family == other.family && table == other.table;
  }
  friend bool operator==(const FilterChain&, const FilterChain&) = default;
};

// Any packet between these links with these addresses. A name with a + at the end is one such name,
// which no rule names in full.
struct FilterPacket {
  std::string from;
  std::string to;
  bool established = false;
  // nullopt: not known. If neither is known, no rule by address is understood.
  std::optional<Ipv4Prefix> source = std::nullopt;
  std::optional<Ipv4Prefix> destination = std::nullopt;
};

// Where a packet is dropped.
struct FilterDrop {
  std::string chain;
  bool by_policy = false;  // not by a rule
};

// Where `base`, one of `chains`, drops the packet; nullopt: it passes. Rules that are not
// understood are assumed not to match, except accepts for established traffic (-m conntrack).
// Neither do those match that are for a part of the packet's addresses, or for one that is not
// known.
std::optional<FilterDrop> FindDrop(const std::vector<FilterChain>& chains, const FilterChain& base,
                                   const FilterPacket& packet);

inline bool Drops(const std::vector<FilterChain>& chains, const FilterChain& base,
                  const FilterPacket& packet) {
  return FindDrop(chains, base, packet).has_value();
}

}  // namespace svnet
