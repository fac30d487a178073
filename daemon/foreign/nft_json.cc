#include "daemon/foreign/nft_json.h"

#include <jansson.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

using Verdict = FilterRule::Verdict;

struct FreeJson {
  void operator()(json_t* json) const { json_decref(json); }
};
using Json = std::unique_ptr<json_t, FreeJson>;

// Null if the value has an unexpected type: jansson's functions accept null and return null.
const json_t* Find(const json_t* object, const char* key) { return json_object_get(object, key); }

std::string Text(const json_t* object, const char* key) {
  const char* text = json_string_value(Find(object, key));
  return text == nullptr ? "" : text;
}

// Calls `take` for the value under `kind` of each item of the list.
absl::Status ForEach(const std::string& json, const char* kind,
                     const std::function<void(const json_t*)>& take) {
  const Json text(json_loads(json.c_str(), 0, nullptr));
  const json_t* list = Find(text.get(), "nftables");
  if (text == nullptr) return absl::InvalidArgumentError("nftables' output is not JSON");
  for (size_t i = 0; i < json_array_size(list); ++i) {
    if (const json_t* item = Find(json_array_get(list, i), kind)) take(item);
  }
  return absl::OkStatus();
}

// "iifname" of {"meta": {"key": "iifname"}}.
std::string KeyOf(const json_t* match, const char* kind) {
  return Text(Find(Find(match, "left"), kind), "key");
}

bool NamesEstablished(const json_t* value) {
  const auto is = [](const json_t* each) {
    const char* text = json_string_value(each);
    return text != nullptr && absl::string_view(text) == "established";
  };
  if (is(value)) return true;
  const json_t* set = Find(value, "set");
  const json_t* items = set != nullptr ? set : value;
  for (size_t i = 0; i < json_array_size(items); ++i) {
    if (is(json_array_get(items, i))) return true;
  }
  return false;
}

// nft's wildcard is *, iptables' is +.
std::string InterfaceName(std::string text) {
  if (absl::EndsWith(text, "*")) text.back() = '+';
  return text;
}

// "172.30.0.1", or {"prefix": {"addr": "172.30.0.0", "len": 24}}; no set or range.
std::optional<Ipv4Prefix> PrefixOf(const json_t* value) {
  const json_t* prefix = Find(value, "prefix");
  const char* text = json_string_value(prefix == nullptr ? value : Find(prefix, "addr"));
  const absl::StatusOr<Ipv4Address> address = Ipv4Address::Parse(text == nullptr ? "" : text);
  const json_int_t length = prefix == nullptr ? 32 : json_integer_value(Find(prefix, "len"));
  if (!address.ok() || length < 0 || length > 32) return std::nullopt;
  return Ipv4Prefix::Containing(*address, static_cast<int>(length));
}

// Whether that is a condition by address, now in `rule`.
bool AddAddress(const json_t* match, FilterRule& rule) {
  const json_t* payload = Find(Find(match, "left"), "payload");
  const std::string field = Text(payload, "field");
  const bool is_source = field == "saddr";
  const std::optional<Ipv4Prefix> prefix = PrefixOf(Find(match, "right"));
  std::optional<Ipv4Prefix>& place = is_source ? rule.source : rule.destination;
  const bool understood = Text(payload, "protocol") == "ip" && (is_source || field == "daddr") &&
                          prefix.has_value() && !place.has_value();
  if (!understood) return false;
  place = prefix;
  (is_source ? rule.not_source : rule.not_destination) = Text(match, "op") == "!=";
  return true;
}

void AddMatch(const json_t* match, FilterRule& rule) {
  const std::string key = KeyOf(match, "meta");
  const json_t* right = Find(match, "right");
  const bool negated = Text(match, "op") == "!=";
  if (KeyOf(match, "ct") == "state" && !negated && NamesEstablished(right)) {
    rule.established = true;
  } else if ((key == "iifname" || key == "iif") && json_is_string(right)) {
    rule.from = InterfaceName(json_string_value(right));
    rule.not_from = negated;
  } else if ((key == "oifname" || key == "oif") && json_is_string(right)) {
    rule.to = InterfaceName(json_string_value(right));
    rule.not_to = negated;
  } else if (!AddAddress(match, rule)) {
    rule.opaque = true;
  }
}

// The comment match of iptables matches every packet.
bool IsRemark(absl::string_view kind, const json_t* value) {
  return kind == "counter" || kind == "log" || kind == "comment" ||
         (kind == "xt" && Text(value, "name") == "comment");
}

void AddStatement(absl::string_view kind, const json_t* value, FilterRule& rule) {
  if (kind == "match") {
    AddMatch(value, rule);
  } else if (kind == "accept") {
    rule.verdict = Verdict::kAccept;
  } else if (kind == "drop" || kind == "reject") {
    rule.verdict = Verdict::kDrop;
  } else if (kind == "return") {
    rule.verdict = Verdict::kReturn;
  } else if (kind == "jump" || kind == "goto") {
    rule.verdict = Verdict::kJump;
    rule.target = Text(value, "target");
  } else if (kind == "xt" && Text(value, "name") == "REJECT") {
    rule.verdict = Verdict::kDrop;
  } else if (!IsRemark(kind, value)) {
    rule.masquerades |= kind == "masquerade";
    rule.opaque = true;
  }
}

FilterRule ReadRule(const json_t* object) {
  FilterRule rule;
  rule.comment = Text(object, "comment");
  rule.handle = static_cast<uint64_t>(json_integer_value(Find(object, "handle")));
  const json_t* statements = Find(object, "expr");
  for (size_t i = 0; i < json_array_size(statements); ++i) {
    json_t* statement = json_array_get(statements, i);
    const char* kind = nullptr;
    json_t* value = nullptr;
    json_object_foreach(statement, kind, value) AddStatement(kind, value, rule);
  }
  return rule;
}

FilterChain ReadChain(const json_t* object) {
  return {.family = Text(object, "family"),
          .table = Text(object, "table"),
          .name = Text(object, "name"),
          .hook = Text(object, "hook"),
          .drops_by_default = Text(object, "policy") == "drop",
          .rules = {}};
}

FilterChain* FindChain(std::vector<FilterChain>& chains, const json_t* rule) {
  const auto found = std::find_if(chains.begin(), chains.end(), [&](const FilterChain& chain) {
    return chain.name == Text(rule, "chain") && chain.table == Text(rule, "table") &&
           chain.family == Text(rule, "family");
  });
  return found == chains.end() ? nullptr : &*found;
}

}  // namespace

absl::StatusOr<std::vector<FilterChain>> ParseRuleset(const std::string& json) {
  std::vector<FilterChain> chains;
  SVNET_RETURN_IF_ERROR(
      ForEach(json, "chain", [&](const json_t* chain) { chains.push_back(ReadChain(chain)); }));
  SVNET_RETURN_IF_ERROR(ForEach(json, "rule", [&](const json_t* rule) {
    if (FilterChain* chain = FindChain(chains, rule)) chain->rules.push_back(ReadRule(rule));
  }));
  return chains;
}

absl::StatusOr<std::vector<NftTable>> ParseTables(const std::string& json) {
  std::vector<NftTable> tables;
  SVNET_RETURN_IF_ERROR(ForEach(json, "table", [&](const json_t* table) {
    tables.push_back({.family = Text(table, "family"), .name = Text(table, "name")});
  }));
  return tables;
}

absl::StatusOr<int64_t> ParseCounter(const std::string& json) {
  absl::StatusOr<int64_t> packets = absl::NotFoundError("there is no such counter");
  SVNET_RETURN_IF_ERROR(ForEach(json, "counter", [&](const json_t* counter) {
    if (const json_t* value = Find(counter, "packets")) packets = json_integer_value(value);
  }));
  return packets;
}

}  // namespace svnet
