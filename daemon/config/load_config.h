// Flags and the TOML file become one configuration.
#pragma once

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/config/accounts.h"
#include "daemon/config/config.h"

namespace svnet {

// The accounts that getpwnam(3) and getgrnam(3) know.
Accounts HostAccounts();

// The values of flags, by configuration key.
using Flags = std::map<std::string, std::string>;

// `toml` is the text of the file `name`. Flags win. InvalidArgument names the file,
// the line, the key, and what is allowed. Pure, if `accounts` is.
absl::StatusOr<Config> MakeConfig(absl::string_view name, absl::string_view toml,
                                  const Flags& flags, const Accounts& accounts);

// What to print and exit with instead of running: for --help, --version, --check, or an error.
struct EarlyExit {
  int code;  // 0, or 2: the usage or the configuration is wrong
  std::string text;
};

// Parses the command line and reads the file that it names. The default file may be absent. With
// --gates no file is read.
std::variant<Config, EarlyExit> LoadConfig(int argc, const char* const* argv);

// The keys in which `next` differs from `running` and that need a restart: "bridge",
// "networks.NAME.bridge". Pure.
std::vector<std::string> KeysThatNeedRestart(const Config& running, const Config& next);

// Those that a reload applies: `log_level`, `manage_foreign_firewalls`, what is in [callers] and
// [limits], and "networks.NAME" if that is new, is gone or is there again. Pure.
std::vector<std::string> KeysThatReloadApplies(const Config& running, const Config& next);

}  // namespace svnet
