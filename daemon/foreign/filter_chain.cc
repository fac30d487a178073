#include "daemon/foreign/filter_chain.h"

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace svnet {
namespace {

using Verdict = FilterRule::Verdict;

// The kernel does not allow loops of jumps; this is its limit of levels.
constexpr int kDeepestJump = 16;

bool MeetsName(const std::string& pattern, bool negated, const std::string& name) {
  if (pattern.empty()) return true;
  absl::string_view start = pattern;
  const bool same =
      absl::ConsumeSuffix(&start, "+") ? absl::StartsWith(name, start) : name == pattern;
  return same != negated;
}

bool IsWithin(const Ipv4Prefix& part, const Ipv4Prefix& whole) {
  return whole.length() <= part.length() && whole.Contains(part.network());
}

// Whether all of the packet's addresses do.
bool MeetsAddress(const std::optional<Ipv4Prefix>& wanted, bool negated,
                  const std::optional<Ipv4Prefix>& known) {
  if (!wanted.has_value()) return true;
  if (!known.has_value()) return false;
  return negated ? !wanted->Overlaps(*known) : IsWithin(*known, *wanted);
}

bool Meets(const FilterRule& rule, const FilterPacket& packet) {
  if (!MeetsName(rule.from, rule.not_from, packet.from)) return false;
  if (!MeetsName(rule.to, rule.not_to, packet.to)) return false;
  if (rule.established && !packet.established) return false;
  const bool knows_addresses = packet.source.has_value() || packet.destination.has_value();
  if (knows_addresses) {
    if (!MeetsAddress(rule.source, rule.not_source, packet.source)) return false;
    if (!MeetsAddress(rule.destination, rule.not_destination, packet.destination)) return false;
  }
  const bool opaque = rule.opaque || (rule.HasAddresses() && !knows_addresses);
  return !opaque || (packet.established && rule.verdict == Verdict::kAccept);
}

struct Decision {
  Verdict verdict = Verdict::kNone;  // kNone: the end of the chain, or a return
  std::string chain;
};

Decision Walk(const std::vector<FilterChain>& chains, const FilterChain& chain,
              const FilterPacket& packet, int depth) {
  for (const FilterRule& rule : chain.rules) {
    if (rule.verdict == Verdict::kNone || !Meets(rule, packet)) continue;
    if (rule.verdict == Verdict::kReturn) return {};
    if (rule.verdict != Verdict::kJump) return {rule.verdict, chain.name};
    for (const FilterChain& target : chains) {
      const bool is_it = target.SameTable(chain) && target.name == rule.target;
      if (!is_it || depth >= kDeepestJump) continue;
      const Decision decision = Walk(chains, target, packet, depth + 1);
      if (decision.verdict != Verdict::kNone) return decision;
    }
  }
  return {};
}

}  // namespace

std::optional<FilterDrop> FindDrop(const std::vector<FilterChain>& chains, const FilterChain& base,
                                   const FilterPacket& packet) {
  const Decision decision = Walk(chains, base, packet, 0);
  if (decision.verdict == Verdict::kDrop) return FilterDrop{.chain = decision.chain};
  if (decision.verdict == Verdict::kNone && base.drops_by_default) {
    return FilterDrop{.chain = base.name, .by_policy = true};
  }
  return std::nullopt;
}

}  // namespace svnet
