#include "daemon/config_keys.h"

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

namespace svnet {
namespace {

constexpr size_t kMaxSocketPath = 107;  // bytes: sockaddr_un less the NUL
constexpr uint32_t kMinMtu = 576;       // RFC 791: what every host must take
constexpr uint32_t kMaxMtu = 65521;     // a TAP's own maximum

absl::Status SetSocket(Config* config, absl::string_view text, const Accounts&) {
  if (text.empty() || text[0] != '/' || text.size() > kMaxSocketPath) {
    return absl::InvalidArgumentError(absl::StrCat(
        Quote(text), " is not an absolute path of at most ", kMaxSocketPath, " bytes"));
  }
  config->socket = std::string(text);
  return absl::OkStatus();
}

absl::Status SetSocketGroup(Config* config, absl::string_view text, const Accounts&) {
  config->socket_group = std::string(text);
  return absl::OkStatus();
}

absl::Status SetBridge(Config* config, absl::string_view text, const Accounts&) {
  SVNET_ASSIGN_OR_RETURN(config->bridge, LinkName::Parse(text));
  return absl::OkStatus();
}

// Addresses that no link of a host can have: "this network", loopback, multicast and
// what is reserved (RFC 6890).
bool IsUnusable(const Ipv4Prefix& prefix) {
  const auto overlaps = [&](uint32_t network, int length) {
    return prefix.Overlaps(Ipv4Prefix::Containing(Ipv4Address(network), length));
  };
  return overlaps(0x00000000, 8) || overlaps(0x7f000000, 8) || overlaps(0xe0000000, 3);
}

absl::Status SetSubnet(Config* config, absl::string_view text, const Accounts&) {
  SVNET_ASSIGN_OR_RETURN(const Ipv4Prefix prefix, Ipv4Prefix::Parse(text));
  if (prefix.length() < 8 || prefix.length() > 30) {
    return absl::InvalidArgumentError(
        absl::StrCat(Quote(text), " is not a /8 to /30: it needs a gateway and a guest"));
  }
  if (IsUnusable(prefix)) {
    return absl::InvalidArgumentError(
        absl::StrCat(Quote(text),
                     " holds addresses that no host can have: use a private one, as "
                     "10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16 have them"));
  }
  config->subnet = prefix;
  return absl::OkStatus();
}

absl::Status SetMtu(Config* config, absl::string_view text, const Accounts&) {
  uint32_t mtu = 0;
  if (text == "auto") {
    config->mtu = std::nullopt;
  } else if (absl::SimpleAtoi(text, &mtu) && mtu >= kMinMtu && mtu <= kMaxMtu) {
    config->mtu = mtu;
  } else {
    return absl::InvalidArgumentError(absl::StrCat(Quote(text), " is neither \"auto\" nor ",
                                                   kMinMtu, " to ", kMaxMtu, " (bytes)"));
  }
  return absl::OkStatus();
}

// One of `words`, in their order.
template <size_t kCount>
absl::StatusOr<size_t> ParseWord(absl::string_view text,
                                 const std::array<absl::string_view, kCount>& words) {
  const auto found = std::find(words.begin(), words.end(), text);
  if (found != words.end()) return found - words.begin();
  return absl::InvalidArgumentError(
      absl::StrCat(Quote(text), " is not one of: ", absl::StrJoin(words, ", ")));
}

absl::Status SetLogLevel(Config* config, absl::string_view text, const Accounts&) {
  constexpr std::array<absl::string_view, 4> kWords = {"debug", "info", "warning", "error"};
  SVNET_ASSIGN_OR_RETURN(const size_t word, ParseWord(text, kWords));
  config->log_level = static_cast<LogLevel>(word);
  return absl::OkStatus();
}

absl::Status SetMetricsListen(Config* config, absl::string_view text, const Accounts&) {
  config->metrics_listen.reset();
  if (text.empty()) return absl::OkStatus();
  SVNET_ASSIGN_OR_RETURN(config->metrics_listen, ListenAddress::Parse(text));
  return absl::OkStatus();
}

absl::Status SetIsolation(Config* config, absl::string_view text, const Accounts&) {
  constexpr std::array<absl::string_view, 3> kWords = {"none", "owner", "all"};
  SVNET_ASSIGN_OR_RETURN(const size_t word, ParseWord(text, kWords));
  config->isolation = static_cast<Isolation>(word);
  return absl::OkStatus();
}

absl::Status SetHostAccess(Config* config, absl::string_view text, const Accounts&) {
  constexpr std::array<absl::string_view, 2> kWords = {"deny", "allow"};
  SVNET_ASSIGN_OR_RETURN(const size_t word, ParseWord(text, kWords));
  config->host_access = word == 1;
  return absl::OkStatus();
}

absl::Status SetLocalAccess(Config* config, absl::string_view text, const Accounts&) {
  constexpr std::array<absl::string_view, 2> kWords = {"all", "owner"};
  SVNET_ASSIGN_OR_RETURN(const size_t word, ParseWord(text, kWords));
  config->local_access = static_cast<LocalAccess>(word);
  return absl::OkStatus();
}

// The items of a list; none of them can hold a comma.
std::vector<absl::string_view> Items(absl::string_view text) {
  return absl::StrSplit(text, ',', absl::SkipEmpty());
}

absl::StatusOr<HostPort> ParseHostPort(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits('/', 1));
  uint32_t port = 0;
  const bool tcp = parts.first == "tcp";
  if ((tcp || parts.first == "udp") && absl::SimpleAtoi(parts.second, &port) && port >= 1 &&
      port <= 65535) {
    return HostPort{.protocol = tcp ? HostPort::Protocol::kTcp : HostPort::Protocol::kUdp,
                    .port = static_cast<uint16_t>(port)};
  }
  return absl::InvalidArgumentError(
      absl::StrCat(Quote(text), " is not like \"udp/53\" or \"tcp/443\""));
}

absl::Status SetHostPorts(Config* config, absl::string_view text, const Accounts&) {
  config->host_ports.clear();
  for (absl::string_view item : Items(text)) {
    SVNET_ASSIGN_OR_RETURN(const HostPort port, ParseHostPort(item));
    config->host_ports.push_back(port);
  }
  return absl::OkStatus();
}

absl::Status SetBlockedDestinations(Config* config, absl::string_view text, const Accounts&) {
  config->blocked_destinations.clear();
  for (absl::string_view item : Items(text)) {
    SVNET_ASSIGN_OR_RETURN(const Ipv4Prefix prefix, Ipv4Prefix::Parse(item));
    config->blocked_destinations.push_back(prefix);
  }
  return absl::OkStatus();
}

absl::Status SetManageForeignFirewalls(Config* config, absl::string_view text, const Accounts&) {
  constexpr std::array<absl::string_view, 2> kWords = {"false", "true"};
  SVNET_ASSIGN_OR_RETURN(const size_t word, ParseWord(text, kWords));
  config->manage_foreign_firewalls = word == 1;
  return absl::OkStatus();
}

absl::Status SetAllowUsers(Config* config, absl::string_view text, const Accounts& accounts) {
  config->callers.users.clear();
  config->callers.everybody = text == "*";
  if (config->callers.everybody) return absl::OkStatus();
  for (absl::string_view item : Items(text)) {
    SVNET_ASSIGN_OR_RETURN(const uid_t uid, ParseId("user", item, accounts.find_user));
    config->callers.users.insert(uid);
  }
  return absl::OkStatus();
}

absl::Status SetGroups(std::set<gid_t>* groups, absl::string_view text, const Accounts& accounts) {
  groups->clear();
  for (absl::string_view item : Items(text)) {
    SVNET_ASSIGN_OR_RETURN(const gid_t gid, ParseId("group", item, accounts.find_group));
    groups->insert(gid);
  }
  return absl::OkStatus();
}

absl::Status SetAllowGroups(Config* config, absl::string_view text, const Accounts& accounts) {
  return SetGroups(&config->callers.groups, text, accounts);
}

absl::Status SetAdminGroups(Config* config, absl::string_view text, const Accounts& accounts) {
  return SetGroups(&config->callers.admin_groups, text, accounts);
}

absl::Status SetForeignRoot(Config* config, absl::string_view text, const Accounts&) {
  constexpr std::array<absl::string_view, 2> kWords = {"false", "true"};
  SVNET_ASSIGN_OR_RETURN(const size_t word, ParseWord(text, kWords));
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

template <auto kMember>
bool Differs(const Config& one, const Config& other) {
  return one.*kMember != other.*kMember;
}
constexpr bool (*kReloaded)(const Config&, const Config&) = nullptr;

constexpr std::array kKeys = {
    Key{"", "socket", Type::kText, SetSocket, Differs<&Config::socket>, "PATH",
        "Where callers connect (/run/svnet/svnetd.sock)"},
    Key{"", "socket_group", Type::kText, SetSocketGroup, Differs<&Config::socket_group>, "GROUP",
        "Whose members may connect; empty: only root (svnet)"},
    Key{"", "bridge", Type::kText, SetBridge, Differs<&Config::bridge>, "NAME",
        "The bridge (svbr0)"},
    Key{"", "subnet", Type::kText, SetSubnet, Differs<&Config::subnet>, "PREFIX",
        "The network's prefix, /8 to /30 (172.30.0.0/24)"},
    Key{"", "mtu", Type::kTextOrInteger, SetMtu, Differs<&Config::mtu>, "BYTES|auto",
        "auto: as the default route's link (auto)"},
    Key{"", "log_level", Type::kText, SetLogLevel, kReloaded, "LEVEL",
        "debug, info, warning or error (info)"},
    Key{"", "metrics_listen", Type::kText, SetMetricsListen, Differs<&Config::metrics_listen>,
        "ADDRESS:PORT", "Where this host's Prometheus reads metrics, 127.0.0.1:9464 (nowhere)"},
    Key{"", "isolation", Type::kText, SetIsolation, Differs<&Config::isolation>, "none|owner|all",
        "Whose guests never reach each other: nobody's, those of two owners, all (owner)"},
    Key{"", "host_access", Type::kText, SetHostAccess, Differs<&Config::host_access>, "allow|deny",
        "Whether guests may open connections to the host (allow)"},
    Key{"", "host_ports", Type::kTexts, SetHostPorts, Differs<&Config::host_ports>, "udp/53,...",
        "Where they may all the same (none)"},
    Key{"", "local_access", Type::kText, SetLocalAccess, Differs<&Config::local_access>,
        "all|owner", "Which local users reach guests: all, or root and the owner (all)"},
    Key{"", "blocked_destinations", Type::kTexts, SetBlockedDestinations,
        Differs<&Config::blocked_destinations>, "PREFIX,...",
        "What guests may not reach outside (169.254.0.0/16: a cloud's metadata)"},
    Key{"", "manage_foreign_firewalls", Type::kBoolean, SetManageForeignFirewalls, kReloaded,
        "true|false",
        "Let guests through Docker, ufw and firewalld, where these stop them (false)"},
    Key{"callers", "allow_users", Type::kTexts, SetAllowUsers, kReloaded, "USER,...|*",
        "Who may connect besides the socket's group; *: everybody (none)"},
    Key{"callers", "allow_groups", Type::kTexts, SetAllowGroups, kReloaded, "GROUP,...",
        "The same, by group (none)"},
    Key{"callers", "admin_groups", Type::kTexts, SetAdminGroups, kReloaded, "GROUP,...",
        "Whose members are administrators, as root is (none)"},
    Key{"callers", "foreign_root", Type::kBoolean, SetForeignRoot, kReloaded, "true|false",
        "Whether root of another network namespace is an administrator, too (false)"},
    Key{"limits", "taps_per_user", Type::kInteger, SetTapsPerUser, kReloaded, "N",
        "How many TAPs a user may have (64)"},
    Key{"limits", "queues_per_user", Type::kInteger, SetQueuesPerUser, kReloaded, "N",
        "How many queues the multi-queue TAPs of a user may have together (256)"},
    Key{"limits", "connections_per_user", Type::kInteger, SetConnectionsPerUser, kReloaded, "N",
        "How many connections (64)"},
    Key{"limits", "connections", Type::kInteger, SetConnections, kReloaded, "N",
        "How many all users together, administrators not counted (4096)"},
    Key{"limits", "guest_connections", Type::kInteger, SetGuestConnections,
        Differs<&Config::guest_connections>, "N",
        "How many connections a guest may have open; 0: any number (4096)"},
    Key{"limits", "owner_connections", Type::kTextOrInteger, SetOwnerConnections,
        Differs<&Config::owner_connections>, "N|auto",
        "How many all guests of an owner; auto: an eighth of what the kernel tracks (auto)"},
};

}  // namespace

absl::Span<const Key> AllKeys() { return kKeys; }

const Key* FindKey(absl::string_view name) {
  const auto* key =
      std::find_if(kKeys.begin(), kKeys.end(), [&](const Key& each) { return each.name == name; });
  return key == kKeys.end() ? nullptr : key;
}

std::string Quote(absl::string_view text) {
  return absl::StrCat("\"", absl::CHexEscape(text.substr(0, 80)), "\"");
}

absl::StatusOr<uint32_t> ParseId(
    absl::string_view kind, absl::string_view text,
    const std::function<std::optional<uint32_t>(const std::string&)>& find) {
  uint32_t number = 0;
  if (absl::SimpleAtoi(text, &number) && number != UINT32_MAX) return number;
  if (const std::optional<uint32_t> id = find(std::string(text)); id.has_value()) return *id;
  return absl::InvalidArgumentError(
      absl::StrCat(Quote(text), " is no ", kind, " of this host, nor a number"));
}

absl::Status SetCount(uint32_t* count, uint32_t min, absl::string_view text) {
  constexpr uint32_t kMax = 1'000'000;
  uint32_t value = 0;
  if (!absl::SimpleAtoi(text, &value) || value < min || value > kMax) {
    return absl::InvalidArgumentError(absl::StrCat(Quote(text), " is not ", min, " to ", kMax));
  }
  *count = value;
  return absl::OkStatus();
}

}  // namespace svnet
