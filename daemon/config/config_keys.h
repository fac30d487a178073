// The keys of the configuration.
#pragma once

#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "daemon/config/accounts.h"
#include "daemon/config/config.h"
#include "daemon/config/key_access.h"

namespace svnet {

// The type of a key's value in the file; a flag takes text, and a list with commas.
enum class ConfigValueType { kText, kInteger, kTextOrInteger, kBoolean, kTexts };

// What brings a changed key into force.
enum class ConfigChange { kReload, kRestart };

// Who may see a key's value by GetNetwork. All callers see what decides how their guests and their
// calls are treated: they could find it out by trying. The rest says who else may call, and what
// svnetd does on its host, which helps nobody but an attacker.
enum class ConfigAudience { kAllCallers, kAdministrators };

// The table of the file whose tables are networks: [networks.NAME].
inline constexpr absl::string_view kNetworksTable = "networks";

// A key of the file. A key of a network is one of each [networks.NAME], too.
struct ConfigKey {
  absl::string_view table;  // empty: the top; kNetworksTable: only a [networks.NAME]
  absl::string_view name;   // unique among flags
  ConfigValueType type;
  std::variant<KeyAccess<Config>, KeyAccess<NetworkConfig>> access;
  ConfigChange change;
  ConfigAudience audience;
  absl::string_view placeholder;
  absl::string_view help;
  bool required = false;  // in a [networks.NAME]

  bool IsFlag() const { return table != kNetworksTable; }
  // nullptr: it is not a key of a network.
  const KeyAccess<NetworkConfig>* of_network() const {
    return std::get_if<KeyAccess<NetworkConfig>>(&access);
  }
  // kNetworksTable: in each [networks.NAME].
  bool IsIn(absl::string_view where) const {
    return table == where || (where == kNetworksTable && of_network() != nullptr);
  }
  // See KeyAccess. A key of a network is that of the default one here.
  absl::Status Set(Config* config, absl::string_view text, const Accounts& accounts) const;
  std::string Show(const Config& config) const;
  bool Differs(const Config& one, const Config& other) const;
};

absl::Span<const ConfigKey> AllKeys();
// The one that is a flag; nullptr: none.
const ConfigKey* FindKey(absl::string_view name);
// "networks.NAME".
std::string PathOf(const NetworkName& network);
// Where the file has `key` of that network: "bridge", or "networks.NAME.bridge".
std::string PathOf(const NetworkName& network, absl::string_view key);

}  // namespace svnet
