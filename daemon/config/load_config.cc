#include "daemon/config/load_config.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "daemon/base/status_macros.h"
#include "daemon/base/unique_fd.h"
#include "daemon/config/config_file.h"
#include "daemon/config/config_keys.h"
#include "daemon/config/network_conflicts.h"
#include "daemon/config/usage_error.h"

namespace svnet {
namespace {

std::string FlagOf(absl::string_view key) {
  return absl::StrCat("--", absl::StrReplaceAll(key, {{"_", "-"}}));
}

// nullopt: the file does not exist.
absl::StatusOr<std::optional<std::string>> ReadFile(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid() && errno == ENOENT) return std::nullopt;
  std::string text;
  char buffer[4096];
  // A folder can be opened but not read.
  ssize_t count = read(file.get(), buffer, sizeof(buffer));
  for (; count > 0; count = read(file.get(), buffer, sizeof(buffer))) text.append(buffer, count);
  if (count == 0) return text;
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
}

absl::StatusOr<Config> LoadFrom(const std::optional<std::string>& path, const Flags& flags) {
  SVNET_ASSIGN_OR_RETURN(const std::optional<std::string> text,
                         ReadFile(path.value_or(kConfigFile)));
  if (path.has_value() && !text.has_value()) {
    return absl::NotFoundError(absl::StrCat("there is no file ", *path));
  }
  return MakeConfig(path.value_or(kConfigFile), text.value_or(""), flags, HostAccounts());
}

// What the command line says.
struct CommandLine {
  std::optional<std::string> file;
  Flags flags;
  bool check = false;
  bool serve_gates = false;
  std::optional<std::string> gates_socket;
};

void AddKeyFlags(CLI::App& app, Flags* flags) {
  for (const ConfigKey& key : AllKeys()) {
    if (!key.IsFlag()) continue;
    app.add_option_function<std::string>(
           FlagOf(key.name),
           [flags, &key](const std::string& value) { (*flags)[std::string(key.name)] = value; },
           std::string(key.help))
        ->type_name(std::string(key.placeholder));
  }
}

void AddFlags(CLI::App& app, CommandLine* line) {
  app.footer(
      "Every other flag is also a key of the file, with _ instead of -. See also: svnetctl --help");
  app.set_version_flag("--version", "svnetd " SVNET_VERSION);
  app.add_option("--config", line->file,
                 absl::StrCat("The TOML file (", kConfigFile, ", if it exists)"))
      ->type_name("FILE");
  app.add_flag("--check", line->check,
               "Only check the file and the flags: exit with 0, or say what is wrong and exit with "
               "2");
  app.add_flag("--gates", line->serve_gates,
               "Only run the processes that speak gRPC, for an svnetd with --gates-socket (used by "
               "svnet-gates.service)");
  app.add_option("--gates-socket", line->gates_socket,
                 "The socket of the svnetd that runs with --gates (default: svnetd starts these "
                 "processes itself)")
      ->type_name("PATH");
  AddKeyFlags(app, &line->flags);
}

EarlyExit ExitOf(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() != 0) {
    return EarlyExit{.code = 2, .text = DescribeUsageError(app, error)};
  }
  std::ostringstream text;
  app.exit(error, text, text);
  return EarlyExit{.code = 0, .text = text.str()};
}

std::string NoErrorsIn(const std::optional<std::string>& file) {
  const std::string path = file.value_or(kConfigFile);
  const bool exists = access(path.c_str(), F_OK) == 0;
  return absl::StrCat(
      "svnetd: ",
      exists ? path + " has no errors" : "there is no " + path + ": all keys have their defaults",
      "\n");
}

bool IsServed(const Config& config, const NetworkName& name) {
  const NetworkConfig* network = FindNetwork(config.networks, name);
  return network != nullptr && !network->closed;
}

// The paths of those networks that only `config` serves, and `other` does not.
std::vector<std::string> NetworksOnlyIn(const Config& config, const Config& other) {
  std::vector<std::string> paths;
  for (const NetworkConfig& network : config.other_networks()) {
    if (!network.closed && !IsServed(other, network.name)) paths.push_back(PathOf(network.name));
  }
  return paths;
}

void AddChangedKeys(const NetworkConfig& running, const NetworkConfig& next, ConfigChange change,
                    std::vector<std::string>* keys) {
  for (const ConfigKey& key : AllKeys()) {
    const KeyAccess<NetworkConfig>* access = key.of_network();
    if (access == nullptr || key.change != change || !access->differs(running, next)) continue;
    keys->push_back(PathOf(running.name, key.name));
  }
}

std::vector<std::string> ChangedKeys(const Config& running, const Config& next,
                                     ConfigChange change) {
  std::vector<std::string> keys;
  for (const ConfigKey& key : AllKeys()) {
    if (!key.IsFlag() || key.change != change || !key.Differs(running, next)) continue;
    keys.emplace_back(key.name);
  }
  for (const NetworkConfig& network : running.other_networks()) {
    const NetworkConfig* changed = FindNetwork(next.networks, network.name);
    if (changed != nullptr) AddChangedKeys(network, *changed, change, &keys);
  }
  return keys;
}

void Append(const std::vector<std::string>& more, std::vector<std::string>* keys) {
  keys->insert(keys->end(), more.begin(), more.end());
}

}  // namespace

Accounts HostAccounts() {
  return {.find_user = [](const std::string& name) -> std::optional<uid_t> {
            const passwd* user = getpwnam(name.c_str());
            return user == nullptr ? std::nullopt : std::make_optional(user->pw_uid);
          },
          .find_group = [](const std::string& name) -> std::optional<gid_t> {
            const group* entry = getgrnam(name.c_str());
            return entry == nullptr ? std::nullopt : std::make_optional(entry->gr_gid);
          }};
}

absl::StatusOr<Config> MakeConfig(absl::string_view name, absl::string_view toml,
                                  const Flags& flags, const Accounts& accounts) {
  Config config;
  KeyPlaces places;
  SVNET_RETURN_IF_ERROR(ApplyFile(name, toml, accounts, &config, &places));
  for (const auto& [key, value] : flags) {
    if (const absl::Status status = FindKey(key)->Set(&config, value, accounts); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(FlagOf(key), ": ", status.message()));
    }
    places.insert_or_assign(key, FlagOf(key));
  }
  SVNET_RETURN_IF_ERROR(CheckNetworks(config.networks, places));
  return config;
}

std::variant<Config, EarlyExit> LoadConfig(int argc, const char* const* argv) {
  CLI::App app("svnetd leases TAP devices on a bridge to unprivileged VM supervisors.", "svnetd");
  CommandLine line;
  AddFlags(app, &line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return ExitOf(app, error);
  }
  if (line.serve_gates) return Config{.serve_gates = true};
  absl::StatusOr<Config> config = LoadFrom(line.file, line.flags);
  if (!config.ok()) {
    return EarlyExit{.code = 2, .text = absl::StrCat("svnetd: ", config.status().message(), "\n")};
  }
  if (line.check) return EarlyExit{.code = 0, .text = NoErrorsIn(line.file)};
  config->gates_socket = line.gates_socket;
  return *std::move(config);
}

std::vector<std::string> KeysThatNeedRestart(const Config& running, const Config& next) {
  return ChangedKeys(running, next, ConfigChange::kRestart);
}

std::vector<std::string> KeysThatReloadApplies(const Config& running, const Config& next) {
  std::vector<std::string> keys = ChangedKeys(running, next, ConfigChange::kReload);
  if (running.callers.user_limits != next.callers.user_limits) keys.push_back("[limits.users]");
  if (running.callers.group_limits != next.callers.group_limits) keys.push_back("[limits.groups]");
  Append(NetworksOnlyIn(next, running), &keys);
  Append(NetworksOnlyIn(running, next), &keys);
  return keys;
}

}  // namespace svnet
