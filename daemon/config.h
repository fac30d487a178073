// svnetd's configuration: flags and a TOML file become one value that is valid.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/accept/admission.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/link_name.h"
#include "daemon/firewall/ruleset.h"
#include "daemon/lease/isolation.h"
#include "daemon/metrics/listen_address.h"

namespace svnet {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

struct Config {
  std::string socket = "/run/svnet/svnetd.sock";
  std::string socket_group = "svnet";  // empty: the socket is root's alone
  LinkName bridge = LinkName::Parse("svbr0").value();
  Ipv4Prefix subnet = Ipv4Prefix::Parse("172.30.0.0/24").value();  // /8 to /30
  std::optional<uint32_t> mtu;  // bytes, 576 to 65521; nullopt: "auto", as the uplink's
  LogLevel log_level = LogLevel::kInfo;
  std::optional<ListenAddress> metrics_listen;  // nullopt: only GetMetrics

  Isolation isolation = Isolation::kOwner;
  bool host_access = true;
  LocalAccess local_access = LocalAccess::kAll;
  std::vector<HostPort> host_ports;
  std::vector<Ipv4Prefix> blocked_destinations = {Ipv4Prefix::Parse("169.254.0.0/16").value()};

  bool manage_foreign_firewalls = false;

  AdmissionRules callers;       // all but socket_group
  uint32_t connections = 4096;  // of all users together; administrators are not counted

  // Flags only, for systemd's units. `serve_gates`: this process makes gates, and nothing else
  // here matters. `gates_socket`: where one does; nullopt: svnetd forks one.
  bool serve_gates = false;
  std::optional<std::string> gates_socket;

  // Tracked connections of a guest, and of an owner's guests together; 0: any number.
  uint32_t guest_connections = 4096;
  std::optional<uint32_t> owner_connections;  // nullopt: "auto", an eighth of all
};

// The host's users and groups by name; nullopt: there is none.
struct Accounts {
  std::function<std::optional<uid_t>(const std::string&)> find_user;
  std::function<std::optional<gid_t>(const std::string&)> find_group;
};
// As getpwnam(3) and getgrnam(3) know them.
Accounts HostAccounts();

// The values of flags, by configuration key.
using Flags = std::map<std::string, std::string>;

// `toml` is the text of the file `name`. Flags win. InvalidArgument names the file,
// the line, the key, and what is allowed. Pure, if `accounts` is.
absl::StatusOr<Config> MakeConfig(absl::string_view name, absl::string_view toml,
                                  const Flags& flags, const Accounts& accounts);

// What to print and exit with, when there is nothing to run: --help, --version, or an
// error.
struct Exit {
  int code;  // 0, 1 (the configuration), 2 (usage)
  std::string text;
};

// Parses the command line and reads the file that it names. The default file may be
// absent; with --gates no file is read.
std::variant<Config, Exit> LoadConfig(int argc, const char* const* argv);

// The keys in which `next` differs from `running` and that hold only after a restart;
// `log_level`, `manage_foreign_firewalls`, [callers] and [limits] can change while svnetd runs.
// Pure.
std::vector<absl::string_view> KeysThatNeedRestart(const Config& running, const Config& next);

}  // namespace svnet
