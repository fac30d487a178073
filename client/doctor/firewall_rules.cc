#include "client/doctor/firewall_rules.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace svnet::client {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;
using Verdict = FilterRule::Verdict;

// Chains may jump in circles only if the kernel let them; it does not (16 levels).
constexpr int kDeepestJump = 16;

const Value* Find(const Struct& object, const std::string& key) {
  const auto field = object.fields().find(key);
  return field == object.fields().end() ? nullptr : &field->second;
}

std::string Text(const Struct& object, const std::string& key) {
  const Value* value = Find(object, key);
  return value == nullptr ? "" : value->string_value();
}

// "iifname" of {"meta": {"key": "iifname"}}.
std::string MetaKey(const Struct& match) {
  const Value* left = Find(match, "left");
  const Value* meta = left == nullptr ? nullptr : Find(left->struct_value(), "meta");
  return meta == nullptr ? "" : Text(meta->struct_value(), "key");
}

bool IsCtState(const Struct& match) {
  const Value* left = Find(match, "left");
  const Value* ct = left == nullptr ? nullptr : Find(left->struct_value(), "ct");
  return ct != nullptr && Text(ct->struct_value(), "key") == "state";
}

bool NamesEstablished(const Value& value) {
  const auto is = [](const Value& each) { return each.string_value() == "established"; };
  const Value* set = Find(value.struct_value(), "set");
  const auto& items = set != nullptr ? set->list_value() : value.list_value();
  return is(value) || std::any_of(items.values().begin(), items.values().end(), is);
}

// nft's wildcard is *, iptables' is +.
std::string InterfaceName(const std::string& text) {
  return absl::EndsWith(text, "*") ? text.substr(0, text.size() - 1) + "+" : text;
}

void AddMatch(const Struct& match, FilterRule& rule) {
  const std::string key = MetaKey(match);
  const Value* right = Find(match, "right");
  const bool negated = Text(match, "op") == "!=";
  if (right == nullptr) {
    rule.opaque = true;
  } else if (IsCtState(match) && !negated && NamesEstablished(*right)) {
    rule.established = true;
  } else if ((key == "iifname" || key == "iif") && right->kind_case() == Value::kStringValue) {
    rule.from = InterfaceName(right->string_value());
    rule.not_from = negated;
  } else if ((key == "oifname" || key == "oif") && right->kind_case() == Value::kStringValue) {
    rule.to = InterfaceName(right->string_value());
    rule.not_to = negated;
  } else {
    rule.opaque = true;
  }
}

void AddStatement(const Struct& statement, FilterRule& rule) {
  for (const auto& [kind, value] : statement.fields()) {
    if (kind == "match") {
      AddMatch(value.struct_value(), rule);
    } else if (kind == "accept") {
      rule.verdict = Verdict::kAccept;
    } else if (kind == "drop" || kind == "reject") {
      rule.verdict = Verdict::kDrop;
    } else if (kind == "return") {
      rule.verdict = Verdict::kReturn;
    } else if (kind == "jump" || kind == "goto") {
      rule.verdict = Verdict::kJump;
      rule.target = Text(value.struct_value(), "target");
    } else if (kind != "counter" && kind != "log" && kind != "comment") {
      rule.opaque = true;
    }
  }
}

FilterRule ReadRule(const Struct& object) {
  FilterRule rule;
  if (const Value* statements = Find(object, "expr")) {
    for (const Value& each : statements->list_value().values()) {
      AddStatement(each.struct_value(), rule);
    }
  }
  return rule;
}

FilterChain ReadChain(const Struct& object) {
  return {.family = Text(object, "family"),
          .table = Text(object, "table"),
          .name = Text(object, "name"),
          .hook = Text(object, "hook"),
          .drops_by_default = Text(object, "policy") == "drop",
          .rules = {}};
}

FilterChain* FindChain(std::vector<FilterChain>& chains, const Struct& rule) {
  for (FilterChain& chain : chains) {
    if (chain.family == Text(rule, "family") && chain.table == Text(rule, "table") &&
        chain.name == Text(rule, "chain")) {
      return &chain;
    }
  }
  return nullptr;
}

bool MeetsName(const std::string& pattern, bool negated, const std::string& name) {
  if (pattern.empty()) return true;
  absl::string_view start = pattern;
  const bool same =
      absl::ConsumeSuffix(&start, "+") ? absl::StartsWith(name, start) : name == pattern;
  return same != negated;
}

bool Meets(const FilterRule& rule, const FilterPacket& packet) {
  if (!MeetsName(rule.from, rule.not_from, packet.from)) return false;
  if (!MeetsName(rule.to, rule.not_to, packet.to)) return false;
  if (rule.established && !packet.established) return false;
  return !rule.opaque || (packet.established && rule.verdict == Verdict::kAccept);
}

// kNone: the end of the chain, or a return.
Verdict Walk(const std::vector<FilterChain>& chains, const FilterChain& chain,
             const FilterPacket& packet, int depth) {
  for (const FilterRule& rule : chain.rules) {
    if (rule.verdict == Verdict::kNone || !Meets(rule, packet)) continue;
    if (rule.verdict == Verdict::kReturn) return Verdict::kNone;
    if (rule.verdict != Verdict::kJump) return rule.verdict;
    for (const FilterChain& target : chains) {
      const bool is_it = target.family == chain.family && target.table == chain.table &&
                         target.name == rule.target;
      if (!is_it || depth >= kDeepestJump) continue;
      const Verdict verdict = Walk(chains, target, packet, depth + 1);
      if (verdict != Verdict::kNone) return verdict;
    }
  }
  return Verdict::kNone;
}

}  // namespace

absl::StatusOr<std::vector<FilterChain>> ParseRuleset(const std::string& json) {
  Struct text;
  if (!google::protobuf::util::JsonStringToMessage(json, &text).ok()) {
    return absl::InvalidArgumentError("nftables' list is not in JSON");
  }
  std::vector<FilterChain> chains;
  const Value* list = Find(text, "nftables");
  if (list == nullptr) return chains;
  for (const Value& item : list->list_value().values()) {
    if (const Value* chain = Find(item.struct_value(), "chain")) {
      chains.push_back(ReadChain(chain->struct_value()));
    } else if (const Value* rule = Find(item.struct_value(), "rule")) {
      FilterChain* chain_of_it = FindChain(chains, rule->struct_value());
      if (chain_of_it != nullptr) chain_of_it->rules.push_back(ReadRule(rule->struct_value()));
    }
  }
  return chains;
}

absl::StatusOr<int64_t> ParseCounter(const std::string& json) {
  Struct text;
  if (!google::protobuf::util::JsonStringToMessage(json, &text).ok()) {
    return absl::InvalidArgumentError("nftables' list is not in JSON");
  }
  const Value* list = Find(text, "nftables");
  for (int i = 0; list != nullptr && i < list->list_value().values_size(); ++i) {
    const Value* counter = Find(list->list_value().values(i).struct_value(), "counter");
    const Value* packets = counter == nullptr ? nullptr : Find(counter->struct_value(), "packets");
    if (packets != nullptr) return static_cast<int64_t>(packets->number_value());
  }
  return absl::NotFoundError("there is no such counter");
}

bool Drops(const std::vector<FilterChain>& chains, const FilterChain& base,
           const FilterPacket& packet) {
  const Verdict verdict = Walk(chains, base, packet, 0);
  return verdict == Verdict::kDrop || (verdict == Verdict::kNone && base.drops_by_default);
}

}  // namespace svnet::client
