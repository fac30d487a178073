#include "daemon/config/config_file.h"

#include <toml++/toml.h>

#include <functional>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "daemon/base/nearest.h"
#include "daemon/base/status_macros.h"
#include "daemon/config/config_keys.h"
#include "daemon/config/key_values.h"

namespace svnet {
namespace {

absl::string_view View(const toml::key& key) { return {key.str().data(), key.str().size()}; }

// The keys of a table, for messages.
std::string NamesIn(absl::string_view table) {
  std::vector<absl::string_view> names;
  for (const ConfigKey& key : AllKeys()) {
    if (key.IsIn(table)) names.push_back(key.name);
  }
  if (table.empty()) names.insert(names.end(), {"[callers]", "[limits]", "[networks.NAME]"});
  if (table == "limits") names.insert(names.end(), {"[limits.users.NAME]", "[limits.groups.NAME]"});
  return absl::StrJoin(names, ", ");
}

std::string DescribeWhereItBelongs(const ConfigKey& key) {
  if (!key.table.empty()) return absl::StrCat("belongs to [", key.table, "]");
  return absl::StrCat("belongs to the top of the file, before the first [table]",
                      key.of_network() != nullptr ? ", or to a [networks.NAME]" : "");
}

// `name` is not a key of `table`.
std::string DescribeUnknownKey(absl::string_view table, absl::string_view name) {
  if (const ConfigKey* key = FindKey(name)) return DescribeWhereItBelongs(*key);
  std::vector<std::string> names;
  if (table.empty()) names = {"callers", "limits", std::string(kNetworksTable)};
  for (const ConfigKey& key : AllKeys()) names.emplace_back(key.name);
  const std::optional<std::string> nearest = FindNearest(name, names);
  return absl::StrCat("unknown key",
                      nearest.has_value() ? absl::StrCat(": did you mean ", *nearest, "?") : "",
                      "; known keys: ", NamesIn(table));
}

absl::Status WrongType(absl::string_view wanted, const toml::node& node) {
  std::ostringstream type;
  type << node.type();
  const bool lacks_quotes = absl::StartsWith(wanted, "a string") && node.is_value();
  return absl::InvalidArgumentError(absl::StrCat("must be ", wanted, ", not of type ", type.str(),
                                                 lacks_quotes ? ": write it in quotes" : ""));
}

// The text of line `number`, from 1, without its comment.
absl::string_view LineOf(absl::string_view text, size_t number) {
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  if (number == 0 || number > lines.size()) return "";
  return lines[number - 1].substr(0, lines[number - 1].find('#'));
}

// "a, b" as "\"a\", \"b\"".
std::string QuoteAll(absl::string_view items) {
  std::vector<std::string> quoted;
  for (absl::string_view item : absl::StrSplit(items, ',')) {
    quoted.push_back(Quote(absl::StripAsciiWhitespace(item)));
  }
  return absl::StrJoin(quoted, ", ");
}

// The value as it should be; empty if quotes are not what it lacks.
std::string WithQuotes(ConfigValueType type, absl::string_view value) {
  if (value.empty() || value.find_first_of("\"'{") != value.npos) return "";
  const bool is_list = absl::ConsumePrefix(&value, "[") && absl::ConsumeSuffix(&value, "]");
  if (type == ConfigValueType::kTexts) {
    return absl::StrCat("[", QuoteAll(value), "]");
  }
  const bool is_text = type == ConfigValueType::kText || type == ConfigValueType::kTextOrInteger;
  return is_text && !is_list ? Quote(value) : "";
}

// What the parser cannot say of a line that is not TOML: a text that is not in quotes.
std::string DescribeMissingQuotes(absl::string_view line) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(line, absl::MaxSplits('=', 1));
  const ConfigKey* key = FindKey(absl::StripAsciiWhitespace(parts.first));
  if (key == nullptr) return "";
  const absl::string_view value = absl::StripAsciiWhitespace(parts.second);
  const std::string quoted = WithQuotes(key->type, value);
  if (quoted.empty()) return "";
  return absl::StrCat(key->name, ": ", value, " needs quotes: ", key->name, " = ", quoted);
}

std::string DescribeParseError(absl::string_view text, const toml::parse_error& error) {
  const std::string quotes = DescribeMissingQuotes(LineOf(text, error.source().begin.line));
  return quotes.empty() ? std::string(error.description()) : quotes;
}

absl::StatusOr<std::string> TextOfList(const toml::node& node) {
  const toml::array* array = node.as_array();
  if (array == nullptr) return WrongType("a list of strings", node);
  std::vector<std::string> items;
  for (const toml::node& item : *array) {
    const auto text = item.value_exact<std::string>();
    if (!text.has_value()) return WrongType("a list of strings", item);
    // Reject items that contain a comma: the list is split at commas later.
    if (text->empty() || text->find(',') != std::string::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat(Quote(*text), " is not a valid list item: it is empty or contains a comma"));
    }
    items.push_back(*text);
  }
  return absl::StrJoin(items, ",");
}

// The file's value in the form of a flag.
absl::StatusOr<std::string> TextOf(ConfigValueType type, const toml::node& node) {
  const auto text = node.value_exact<std::string>();
  const auto number = node.value_exact<int64_t>();
  switch (type) {
    case ConfigValueType::kText:
      return text.has_value() ? absl::StatusOr<std::string>(*text) : WrongType("a string", node);
    case ConfigValueType::kInteger:
      if (number.has_value()) return absl::StrCat(*number);
      return WrongType("an integer", node);
    case ConfigValueType::kTextOrInteger:
      if (number.has_value()) return absl::StrCat(*number);
      return text.has_value() ? absl::StatusOr<std::string>(*text)
                              : WrongType("a string or an integer", node);
    case ConfigValueType::kBoolean:
      if (const auto boolean = node.value_exact<bool>()) return *boolean ? "true" : "false";
      return WrongType("true or false", node);
    case ConfigValueType::kTexts:
      break;
  }
  return TextOfList(node);
}

// The position of an error in the file.
class Place {
 public:
  Place(absl::string_view file, absl::string_view path) : file_(file), path_(path) {}

  absl::string_view path() const { return path_; }
  Place In(const toml::key& key) const {
    return Place(file_, absl::StrCat(path_, path_.empty() ? "" : ".", absl::CHexEscape(View(key))));
  }
  // "svnetd.toml:4: bridge".
  std::string Of(const toml::node& node) const {
    return absl::StrCat(file_, ":", node.source().begin.line, ": ", path_);
  }
  absl::Status Error(const toml::node& node, absl::string_view message) const {
    return absl::InvalidArgumentError(absl::StrCat(Of(node), ": ", message));
  }

 private:
  std::string file_;
  std::string path_;
};

// One [limits.users.NAME] or [limits.groups.NAME].
absl::Status ApplyOverride(const Place& place, const toml::node& node, CallerLimits* limits) {
  const toml::table* table = node.as_table();
  if (table == nullptr) return place.Error(node, WrongType("a table", node).message());
  for (const auto& [key, value] : *table) {
    const Place at = place.In(key);
    uint32_t* count = nullptr;
    if (key == "taps_per_user") count = &limits->taps;
    if (key == "queues_per_user") count = &limits->queues;
    if (key == "connections_per_user") count = &limits->connections;
    if (count == nullptr) {
      return at.Error(value, FindKey(View(key)) != nullptr
                                 ? DescribeUnknownKey("", View(key))
                                 : "unknown key; known keys: taps_per_user, queues_per_user, "
                                   "connections_per_user");
    }
    const absl::StatusOr<std::string> text = TextOf(ConfigValueType::kInteger, value);
    const absl::Status status = text.ok() ? SetCount(count, 0, *text) : text.status();
    if (!status.ok()) return at.Error(value, status.message());
  }
  return absl::OkStatus();
}

// [limits.users] or [limits.groups].
absl::Status ApplyOverrides(const Place& place, absl::string_view kind, const toml::node& node,
                            const CallerLimits& defaults,
                            const std::function<std::optional<uint32_t>(const std::string&)>& find,
                            std::map<uint32_t, CallerLimits>* overrides) {
  const toml::table* table = node.as_table();
  if (table == nullptr) return place.Error(node, WrongType("a table", node).message());
  for (const auto& [key, value] : *table) {
    const Place at = place.In(key);
    const absl::StatusOr<uint32_t> id = ParseId(kind, View(key), find);
    if (!id.ok()) return at.Error(value, id.status().message());
    CallerLimits limits = defaults;
    SVNET_RETURN_IF_ERROR(ApplyOverride(at, value, &limits));
    overrides->insert_or_assign(*id, limits);
  }
  return absl::OkStatus();
}

// What a file is read into.
struct Target {
  const Accounts& accounts;
  Config* config;
  KeyPlaces* places;
};

const ConfigKey* FindKeyIn(absl::string_view table, absl::string_view name) {
  for (const ConfigKey& key : AllKeys()) {
    if (key.name == name && key.IsIn(table)) return &key;
  }
  return nullptr;
}

// `network`: the one whose table it is; nullptr: it is none's.
absl::Status ApplyKey(const Place& place, absl::string_view table, absl::string_view name,
                      const toml::node& node, const Target& target, NetworkConfig* network) {
  const ConfigKey* key = FindKeyIn(table, name);
  if (key == nullptr) return place.Error(node, DescribeUnknownKey(table, name));
  const absl::StatusOr<std::string> text = TextOf(key->type, node);
  if (!text.ok()) return place.Error(node, text.status().message());
  const absl::Status status = network != nullptr
                                  ? key->of_network()->set(network, *text, target.accounts)
                                  : key->Set(target.config, *text, target.accounts);
  if (!status.ok()) return place.Error(node, status.message());
  target.places->insert_or_assign(std::string(place.path()), place.Of(node));
  return absl::OkStatus();
}

absl::StatusOr<NetworkName> ParseSectionName(absl::string_view name) {
  if (name == NetworkName::kDefault) {
    return absl::InvalidArgumentError("the keys of the network default are at the top of the file");
  }
  return ParseNetworkName(name);
}

absl::Status CheckRequiredKeys(const toml::table& table) {
  for (const ConfigKey& key : AllKeys()) {
    if (!key.required || table.contains(std::string_view(key.name.data(), key.name.size()))) {
      continue;
    }
    return absl::InvalidArgumentError(
        absl::StrCat(key.name, " is not set: each network needs its own"));
  }
  return absl::OkStatus();
}

// One [networks.NAME].
absl::Status ApplyNetwork(const Place& place, absl::string_view name, const toml::table& table,
                          const Target& target) {
  const absl::StatusOr<NetworkName> valid = ParseSectionName(name);
  if (!valid.ok()) return place.Error(table, valid.status().message());
  NetworkConfig network;
  network.name = *valid;
  for (const auto& [key, node] : table) {
    SVNET_RETURN_IF_ERROR(
        ApplyKey(place.In(key), kNetworksTable, View(key), node, target, &network));
  }
  if (const absl::Status complete = CheckRequiredKeys(table); !complete.ok()) {
    return place.Error(table, complete.message());
  }
  target.config->networks.push_back(network);
  return absl::OkStatus();
}

// [networks].
absl::Status ApplyNetworks(const Place& place, const toml::node& node, const Target& target) {
  const toml::table* networks = node.as_table();
  if (networks == nullptr) return place.Error(node, WrongType("a table", node).message());
  for (const auto& [key, value] : *networks) {
    const Place at = place.In(key);
    if (const toml::table* table = value.as_table()) {
      SVNET_RETURN_IF_ERROR(ApplyNetwork(at, View(key), *table, target));
    } else if (const ConfigKey* known = FindKey(View(key))) {
      return at.Error(value, DescribeWhereItBelongs(*known));
    } else {
      return at.Error(value, WrongType("a table", value).message());
    }
  }
  return absl::OkStatus();
}

absl::Status ApplyTable(const Place& place, const toml::table& table, const Target& target) {
  AdmissionRules& callers = target.config->callers;
  // Overrides are applied after the defaults, wherever they are in the file.
  for (const bool overrides : {false, true}) {
    for (const auto& [key, node] : table) {
      const bool is_override = place.path() == "limits" && (key == "users" || key == "groups");
      if (is_override != overrides) continue;
      const Place at = place.In(key);
      const bool is_table = place.path().empty() && (key == "callers" || key == "limits");
      if (is_override && key == "users") {
        SVNET_RETURN_IF_ERROR(ApplyOverrides(at, "user", node, callers.limits,
                                             target.accounts.find_user, &callers.user_limits));
      } else if (is_override) {
        SVNET_RETURN_IF_ERROR(ApplyOverrides(at, "group", node, callers.limits,
                                             target.accounts.find_group, &callers.group_limits));
      } else if (is_table && node.is_table()) {
        SVNET_RETURN_IF_ERROR(ApplyTable(at, *node.as_table(), target));
      } else if (place.path().empty() && View(key) == kNetworksTable) {
        SVNET_RETURN_IF_ERROR(ApplyNetworks(at, node, target));
      } else {
        SVNET_RETURN_IF_ERROR(ApplyKey(at, place.path(), View(key), node, target, nullptr));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ApplyFile(absl::string_view file, absl::string_view text, const Accounts& accounts,
                       Config* config, KeyPlaces* places) {
  toml::table table;
  try {
    table = toml::parse(std::string_view(text.data(), text.size()));
  } catch (const toml::parse_error& error) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ":", error.source().begin.line, ": ", DescribeParseError(text, error)));
  }
  return ApplyTable(Place(file, ""), table,
                    {.accounts = accounts, .config = config, .places = places});
}

}  // namespace svnet
