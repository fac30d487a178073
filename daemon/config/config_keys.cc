#include "daemon/config/config_keys.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "daemon/base/status_macros.h"
#include "daemon/config/admission_rules.h"
#include "daemon/config/key_values.h"
#include "daemon/config/network_keys.h"

namespace svnet {
namespace {

constexpr size_t kMaxSocketPath = 107;  // bytes: sockaddr_un less the NUL
constexpr size_t kMaxStateDir = 1024;   // bytes

absl::Status SetSocket(Config* config, absl::string_view text, const Accounts&) {
  if (text.empty() || text[0] != '/' || text.size() > kMaxSocketPath) {
    return absl::InvalidArgumentError(absl::StrCat(
        Quote(text), " is not an absolute path of at most ", kMaxSocketPath, " bytes"));
  }
  config->socket = std::string(text);
  return absl::OkStatus();
}

absl::Status SetStateDir(Config* config, absl::string_view text, const Accounts&) {
  config->state_dir.reset();
  if (text.empty()) return absl::OkStatus();
  if (text[0] != '/' || text.size() > kMaxStateDir) {
    return absl::InvalidArgumentError(
        absl::StrCat(Quote(text), " is not an absolute path of at most ", kMaxStateDir, " bytes"));
  }
  config->state_dir = std::string(text);
  return absl::OkStatus();
}

absl::Status SetSocketGroup(Config* config, absl::string_view text, const Accounts&) {
  config->socket_group = std::string(text);
  return absl::OkStatus();
}

// In the order of the values that they mean.
constexpr std::array<absl::string_view, 4> kLogLevels = {"debug", "info", "warning", "error"};
constexpr std::array<absl::string_view, 2> kBooleans = {"false", "true"};

absl::Status SetLogLevel(Config* config, absl::string_view text, const Accounts&) {
  SVNET_ASSIGN_OR_RETURN(const size_t word, ParseWord(text, kLogLevels));
  config->log_level = static_cast<LogLevel>(word);
  return absl::OkStatus();
}

absl::Status SetMetricsListen(Config* config, absl::string_view text, const Accounts&) {
  config->metrics_listen.reset();
  if (text.empty()) return absl::OkStatus();
  SVNET_ASSIGN_OR_RETURN(config->metrics_listen, ListenAddress::Parse(text));
  return absl::OkStatus();
}

absl::Status SetManageForeignFirewalls(Config* config, absl::string_view text, const Accounts&) {
  SVNET_ASSIGN_OR_RETURN(const size_t word, ParseWord(text, kBooleans));
  config->manage_foreign_firewalls = word == 1;
  return absl::OkStatus();
}

absl::Status SetAllowUsers(Config* config, absl::string_view text, const Accounts& accounts) {
  config->callers.all_users = text == "*";
  return SetUsers(&config->callers.users, config->callers.all_users ? "" : text, accounts);
}

absl::Status SetAllowGroups(Config* config, absl::string_view text, const Accounts& accounts) {
  return SetGroups(&config->callers.groups, text, accounts);
}

absl::Status SetAdminGroups(Config* config, absl::string_view text, const Accounts& accounts) {
  return SetGroups(&config->callers.admin_groups, text, accounts);
}

absl::Status SetForeignRoot(Config* config, absl::string_view text, const Accounts&) {
  SVNET_ASSIGN_OR_RETURN(const size_t word, ParseWord(text, kBooleans));
  config->callers.foreign_root = word == 1;
  return absl::OkStatus();
}

absl::Status SetTapsPerUser(Config* config, absl::string_view text, const Accounts&) {
  return SetCount(&config->callers.limits.taps, 0, text);
}

absl::Status SetQueuesPerUser(Config* config, absl::string_view text, const Accounts&) {
  return SetCount(&config->callers.limits.queues, 0, text);
}

absl::Status SetConnectionsPerUser(Config* config, absl::string_view text, const Accounts&) {
  return SetCount(&config->callers.limits.connections, 1, text);
}

absl::Status SetConnections(Config* config, absl::string_view text, const Accounts&) {
  return SetCount(&config->connections, 1, text);
}

absl::Status SetGuestConnections(Config* config, absl::string_view text, const Accounts&) {
  return SetCount(&config->guest_connections, 0, text);
}

absl::Status SetOwnerConnections(Config* config, absl::string_view text, const Accounts&) {
  config->owner_connections.reset();
  if (text == "auto") return absl::OkStatus();
  return SetCount(&config->owner_connections.emplace(), 0, text);
}

std::string ShowStateDir(const Config& config) { return config.state_dir.value_or(""); }

std::string ShowMetricsListen(const Config& config) {
  return config.metrics_listen.has_value() ? config.metrics_listen->text() : "";
}

template <auto kMember>
std::string ShowLimit(const Config& config) {
  return absl::StrCat(config.callers.limits.*kMember);
}

template <auto kMember>
std::string ShowIds(const Config& config) {
  return absl::StrJoin(config.callers.*kMember, ",");
}

std::string ShowAllowUsers(const Config& config) {
  return config.callers.all_users ? "*" : ShowIds<&AdmissionRules::users>(config);
}

std::string ShowForeignRoot(const Config& config) {
  return std::string(kBooleans[static_cast<size_t>(config.callers.foreign_root)]);
}

template <auto kMember>
bool CallersDiffer(const Config& one, const Config& other) {
  return one.callers.*kMember != other.callers.*kMember;
}

template <auto kMember>
bool LimitsDiffer(const Config& one, const Config& other) {
  return one.callers.limits.*kMember != other.callers.limits.*kMember;
}

bool UsersDiffer(const Config& one, const Config& other) {
  return CallersDiffer<&AdmissionRules::users>(one, other) ||
         CallersDiffer<&AdmissionRules::all_users>(one, other);
}

constexpr ConfigChange kReload = ConfigChange::kReload;
constexpr ConfigChange kRestart = ConfigChange::kRestart;
constexpr ConfigAudience kAllCallers = ConfigAudience::kAllCallers;
constexpr ConfigAudience kAdministrators = ConfigAudience::kAdministrators;

using Global = KeyAccess<Config>;
using OfNetwork = KeyAccess<NetworkConfig>;

constexpr std::array kKeys = {
    ConfigKey{"", "socket", ConfigValueType::kText,
              Global{SetSocket, ShowText<&Config::socket>, Differs<&Config::socket>}, kRestart,
              kAdministrators, "PATH", "Where callers connect (/run/svnet/svnetd.sock)"},
    ConfigKey{
        "", "socket_group", ConfigValueType::kText,
        Global{SetSocketGroup, ShowText<&Config::socket_group>, Differs<&Config::socket_group>},
        kRestart, kAdministrators, "GROUP",
        "The group whose members may connect; empty: only root (svnet)"},
    ConfigKey{"", "kind", ConfigValueType::kText,
              OfNetwork{network_keys::SetKind, ShowWord<&NetworkConfig::kind, network_keys::kKinds>,
                        Differs<&NetworkConfig::kind>},
              kRestart, kAllCallers, "bridge|routed",
              "How guests are connected: by a bridge, or each by a route to its TAP (bridge)"},
    ConfigKey{"", "bridge", ConfigValueType::kText,
              OfNetwork{network_keys::SetBridge, network_keys::ShowBridge,
                        Differs<&NetworkConfig::bridge>},
              kRestart, kAllCallers, "NAME", "The bridge (svbr0)", true},
    ConfigKey{"", "subnet", ConfigValueType::kText,
              OfNetwork{network_keys::SetSubnet, network_keys::ShowSubnet,
                        Differs<&NetworkConfig::subnet>},
              kRestart, kAllCallers, "PREFIX", "The network's prefix, /8 to /30 (172.30.0.0/24)",
              true},
    ConfigKey{"", "mtu", ConfigValueType::kTextOrInteger,
              OfNetwork{network_keys::SetMtu, ShowCountOrAuto<&NetworkConfig::mtu>,
                        Differs<&NetworkConfig::mtu>},
              kRestart, kAllCallers, "BYTES|auto",
              "The MTU of guests; auto: that of the default route's link (auto)"},
    ConfigKey{"", "gateway_mac", ConfigValueType::kText,
              OfNetwork{network_keys::SetGatewayMac, network_keys::ShowGatewayMac,
                        Differs<&NetworkConfig::gateway_mac>},
              kRestart, kAllCallers, "MAC|auto",
              "The gateway's MAC; auto: 02:fc:00:00:00:01 if routed, else the bridge's own (auto)"},
    ConfigKey{"", "state_dir", ConfigValueType::kText,
              Global{SetStateDir, ShowStateDir, Differs<&Config::state_dir>}, kRestart,
              kAdministrators, "PATH",
              "Where svnetd keeps what does not fit into TAPs (/run/svnet/state-BRIDGE)"},
    ConfigKey{
        "", "log_level", ConfigValueType::kText,
        Global{SetLogLevel, ShowWord<&Config::log_level, kLogLevels>, Differs<&Config::log_level>},
        kReload, kAdministrators, "LEVEL", "debug, info, warning or error (info)"},
    ConfigKey{"", "metrics_listen", ConfigValueType::kText,
              Global{SetMetricsListen, ShowMetricsListen, Differs<&Config::metrics_listen>},
              kRestart, kAdministrators, "ADDRESS:PORT",
              "Loopback address for Prometheus on this host, like 127.0.0.1:9464 (none)"},
    ConfigKey{"", "isolation", ConfigValueType::kText,
              OfNetwork{network_keys::SetIsolation,
                        ShowWord<&NetworkConfig::isolation, network_keys::kIsolations>,
                        Differs<&NetworkConfig::isolation>},
              kRestart, kAllCallers, "none|owner|all",
              "Which guests are isolated from each other: none, those of different owners, or all "
              "(owner)"},
    ConfigKey{"", "host_access", ConfigValueType::kText,
              OfNetwork{network_keys::SetHostAccess,
                        ShowWord<&NetworkConfig::host_access, network_keys::kHostAccesses>,
                        Differs<&NetworkConfig::host_access>},
              kRestart, kAllCallers, "allow|deny",
              "Whether guests may open connections to the host (allow)"},
    ConfigKey{"", "host_ports", ConfigValueType::kTexts,
              OfNetwork{network_keys::SetHostPorts, network_keys::ShowHostPorts,
                        Differs<&NetworkConfig::host_ports>},
              kRestart, kAllCallers, "udp/53,...",
              "Host ports guests may reach although host_access is deny (none)"},
    ConfigKey{"", "local_access", ConfigValueType::kText,
              OfNetwork{network_keys::SetLocalAccess,
                        ShowWord<&NetworkConfig::local_access, network_keys::kLocalAccesses>,
                        Differs<&NetworkConfig::local_access>},
              kRestart, kAllCallers, "all|owner",
              "Which local users reach guests: all, or root and the owner (all)"},
    ConfigKey{"", "blocked_destinations", ConfigValueType::kTexts,
              OfNetwork{network_keys::SetBlockedDestinations, network_keys::ShowBlockedDestinations,
                        Differs<&NetworkConfig::blocked_destinations>},
              kRestart, kAllCallers, "PREFIX,...",
              "Destinations that guests may not reach (169.254.0.0/16: cloud metadata)"},
    // For administrators, like users and groups: it names networks that not every caller may use.
    ConfigKey{
        "", "peers", ConfigValueType::kTexts,
        OfNetwork{network_keys::SetPeers, network_keys::ShowPeers, Differs<&NetworkConfig::peers>},
        kRestart, kAdministrators, "NETWORK,...",
        "Networks that may reach this one, if both name each other (none)"},
    ConfigKey{kNetworksTable, "allow_users", ConfigValueType::kTexts,
              OfNetwork{network_keys::SetAllowUsers, ShowIdsOf<&NetworkConfig::users>,
                        Differs<&NetworkConfig::users>},
              kRestart, kAdministrators, "", ""},
    ConfigKey{kNetworksTable, "allow_groups", ConfigValueType::kTexts,
              OfNetwork{network_keys::SetAllowGroups, ShowIdsOf<&NetworkConfig::groups>,
                        Differs<&NetworkConfig::groups>},
              kRestart, kAdministrators, "", ""},
    ConfigKey{
        "", "manage_foreign_firewalls", ConfigValueType::kBoolean,
        Global{SetManageForeignFirewalls, ShowWord<&Config::manage_foreign_firewalls, kBooleans>,
               Differs<&Config::manage_foreign_firewalls>},
        kReload, kAdministrators, "true|false",
        "Add accept rules for guests to Docker, ufw and firewalld if these drop guest "
        "traffic (false)"},
    ConfigKey{"callers", "allow_users", ConfigValueType::kTexts,
              Global{SetAllowUsers, ShowAllowUsers, UsersDiffer}, kReload, kAdministrators,
              "USER,...|*",
              "Users who may connect besides the socket's group; *: all users (none)"},
    ConfigKey{"callers", "allow_groups", ConfigValueType::kTexts,
              Global{SetAllowGroups, ShowIds<&AdmissionRules::groups>,
                     CallersDiffer<&AdmissionRules::groups>},
              kReload, kAdministrators, "GROUP,...", "Groups whose members may connect (none)"},
    ConfigKey{"callers", "admin_groups", ConfigValueType::kTexts,
              Global{SetAdminGroups, ShowIds<&AdmissionRules::admin_groups>,
                     CallersDiffer<&AdmissionRules::admin_groups>},
              kReload, kAdministrators, "GROUP,...",
              "Groups whose members are administrators, like root (none)"},
    ConfigKey{"callers", "foreign_root", ConfigValueType::kBoolean,
              Global{SetForeignRoot, ShowForeignRoot, CallersDiffer<&AdmissionRules::foreign_root>},
              kReload, kAdministrators, "true|false",
              "Whether root of another network namespace is also an administrator (false)"},
    ConfigKey{
        "limits", "taps_per_user", ConfigValueType::kInteger,
        Global{SetTapsPerUser, ShowLimit<&CallerLimits::taps>, LimitsDiffer<&CallerLimits::taps>},
        kReload, kAllCallers, "N", "Maximum number of TAPs per user (64)"},
    ConfigKey{"limits", "queues_per_user", ConfigValueType::kInteger,
              Global{SetQueuesPerUser, ShowLimit<&CallerLimits::queues>,
                     LimitsDiffer<&CallerLimits::queues>},
              kReload, kAllCallers, "N",
              "Maximum number of queues of all multi-queue TAPs of a user (256)"},
    ConfigKey{"limits", "connections_per_user", ConfigValueType::kInteger,
              Global{SetConnectionsPerUser, ShowLimit<&CallerLimits::connections>,
                     LimitsDiffer<&CallerLimits::connections>},
              kReload, kAllCallers, "N", "Maximum number of connections per user (64)"},
    ConfigKey{
        "limits", "connections", ConfigValueType::kInteger,
        Global{SetConnections, ShowCount<&Config::connections>, Differs<&Config::connections>},
        kReload, kAllCallers, "N",
        "Maximum number of connections of all users, not counting administrators (4096)"},
    ConfigKey{"limits", "guest_connections", ConfigValueType::kInteger,
              Global{SetGuestConnections, ShowCount<&Config::guest_connections>,
                     Differs<&Config::guest_connections>},
              kRestart, kAllCallers, "N",
              "Maximum number of tracked connections per guest; 0: no limit (4096)"},
    ConfigKey{"limits", "owner_connections", ConfigValueType::kTextOrInteger,
              Global{SetOwnerConnections, ShowCountOrAuto<&Config::owner_connections>,
                     Differs<&Config::owner_connections>},
              kRestart, kAllCallers, "N|auto",
              "The same for all guests of an owner; auto: an eighth of the kernel's table (auto)"},
};

}  // namespace

absl::Status ConfigKey::Set(Config* config, absl::string_view text,
                            const Accounts& accounts) const {
  if (const auto* network = of_network()) {
    return network->set(&config->default_network(), text, accounts);
  }
  return std::get<Global>(access).set(config, text, accounts);
}

std::string ConfigKey::Show(const Config& config) const {
  if (const auto* network = of_network()) return network->show(config.default_network());
  return std::get<Global>(access).show(config);
}

bool ConfigKey::Differs(const Config& one, const Config& other) const {
  if (const auto* network = of_network()) {
    return network->differs(one.default_network(), other.default_network());
  }
  return std::get<Global>(access).differs(one, other);
}

absl::Span<const ConfigKey> AllKeys() { return kKeys; }

const ConfigKey* FindKey(absl::string_view name) {
  const auto* key = std::find_if(kKeys.begin(), kKeys.end(), [&](const ConfigKey& each) {
    return each.name == name && each.IsFlag();
  });
  return key == kKeys.end() ? nullptr : key;
}

std::string PathOf(const NetworkName& network) {
  return absl::StrCat(kNetworksTable, ".", network.text());
}

std::string PathOf(const NetworkName& network, absl::string_view key) {
  if (network == NetworkName()) return std::string(key);
  return absl::StrCat(PathOf(network), ".", key);
}

}  // namespace svnet
