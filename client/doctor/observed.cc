#include "client/doctor/observed.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/link_name.h"
#include "daemon/base/network_name.h"
#include "daemon/base/status_macros.h"
#include "daemon/config/config.h"
#include "daemon/config/load_config.h"
#include "daemon/lease/alias.h"
#include "daemon/lease/alias_v1.h"

namespace svnet::client {
namespace {

std::string BridgeOf(const v1::GetNetworkResponse& network) {
  return network.bridge().empty() ? NetworkConfig().bridge.text() : network.bridge();
}

Ipv4Prefix PrefixOf(const v1::GetNetworkResponse& network) {
  return Ipv4Prefix::Parse(network.prefix()).value_or(NetworkConfig().subnet);
}

HostNetwork AsHostNetwork(const Observed& observed) {
  HostNetwork host;
  for (const HostLink& link : observed.links) {
    host.links.push_back({.ifindex = link.ifindex, .name = link.name});
  }
  for (const HostAddress& address : observed.addresses) {
    host.addresses.push_back(
        {.ifindex = address.ifindex,
         .address = address.address,
         .prefix = Ipv4Prefix::Containing(address.address, address.prefix_length)});
  }
  for (const HostRoute& route : observed.routes) {
    host.routes.push_back({.destination = route.destination,
                           .ifindex = route.ifindex,
                           .table = route.table,
                           .metric = route.metric});
  }
  return host;
}

absl::Status CheckFile(const Host& host) {
  SVNET_ASSIGN_OR_RETURN(const std::string text, host.ReadFile(kConfigFile));
  return MakeConfig(kConfigFile, text, {}, HostAccounts()).status();
}

// Stores the value in `list`, or the error in `status`.
template <typename T>
void Take(absl::StatusOr<T> read, T& list, absl::Status& status) {
  if (read.ok()) {
    list = *std::move(read);
  } else {
    status.Update(read.status());
  }
}

// Whether its alias says that a svnetd made it, of this version or of an earlier one.
bool HasAlias(const Observed& observed, const HostLink& link) {
  if (IsAlias(link.alias)) return true;
  const std::vector<std::string> bridges = Bridges(observed);
  return std::any_of(bridges.begin(), bridges.end(), [&](const std::string& name) {
    const absl::StatusOr<LinkName> bridge = LinkName::Parse(name);
    return bridge.ok() && IsAliasV1(link.alias, *bridge);
  });
}

std::vector<v1::GetNetworkResponse> ToExamine(const Answers& svnetd, const std::string& only) {
  if (svnetd.failure.has_value()) {
    if (only.empty()) return {v1::GetNetworkResponse()};
    return {};
  }
  std::vector<v1::GetNetworkResponse> networks;
  std::copy_if(svnetd.networks.begin(), svnetd.networks.end(), std::back_inserter(networks),
               [&](const auto& network) { return only.empty() || NameOf(network) == only; });
  return networks;
}

}  // namespace

Observed Observe(const Host& host, Answers svnetd, const std::string& only) {
  Observed observed = {.host = host,
                       .svnetd = std::move(svnetd),
                       .links = {},
                       .addresses = {},
                       .routes = {},
                       .network = {},
                       .netlink = absl::OkStatus(),
                       .nft = host.NftChains(),
                       .legacy = host.LegacyChains(),
                       .configuration = CheckFile(host),
                       .examined = {},
                       .subject = {},
                       .bridge = "",
                       .prefix = NetworkConfig().subnet};
  Take(host.Links(), observed.links, observed.netlink);
  Take(host.Addresses(), observed.addresses, observed.netlink);
  Take(host.Routes(), observed.routes, observed.netlink);
  observed.network = AsHostNetwork(observed);
  observed.examined = ToExamine(observed.svnetd, only);
  LookAt(observed.examined.empty() ? v1::GetNetworkResponse() : observed.examined.front(),
         observed);
  return observed;
}

void LookAt(const v1::GetNetworkResponse& network, Observed& observed) {
  observed.subject = network;
  observed.bridge = BridgeOf(network);
  observed.prefix = PrefixOf(network);
}

std::string NameOf(const v1::GetNetworkResponse& network) {
  return network.name().empty() ? std::string(NetworkName::kDefault) : network.name();
}

std::string OwnPrefix(const Observed& observed) {
  const std::string network = NameOf(observed.subject);
  return network == NetworkName::kDefault ? "" : absl::StrCat(network, "/");
}

bool IsOnSubject(const Observed& observed, const v1::Tap& tap) {
  const absl::string_view name = tap.network();
  return (name.empty() ? NetworkName::kDefault : name) == NameOf(observed.subject);
}

std::vector<std::string> Bridges(const Observed& observed) {
  std::vector<std::string> bridges;
  for (const auto& network : observed.svnetd.networks) bridges.push_back(BridgeOf(network));
  if (bridges.empty()) bridges.push_back(observed.bridge);
  return bridges;
}

bool IsBridge(const Observed& observed, const HostLink& link) {
  const std::vector<std::string> bridges = Bridges(observed);
  return std::find(bridges.begin(), bridges.end(), link.name) != bridges.end();
}

bool AnyBridgeExists(const Observed& observed) {
  return std::any_of(observed.links.begin(), observed.links.end(),
                     [&](const HostLink& link) { return IsBridge(observed, link); });
}

const HostLink* FindLink(const Observed& observed, const std::string& name) {
  for (const HostLink& link : observed.links) {
    if (link.name == name) return &link;
  }
  return nullptr;
}

const HostLink* FindLink(const Observed& observed, int ifindex) {
  for (const HostLink& link : observed.links) {
    if (link.ifindex == ifindex) return &link;
  }
  return nullptr;
}

bool IsOurs(const Observed& observed, const HostLink& link) {
  if (IsBridge(observed, link)) return true;
  if (!HasAlias(observed, link)) return false;
  return link.master == 0 ||
         std::any_of(observed.links.begin(), observed.links.end(), [&](const HostLink& each) {
           return each.ifindex == link.master && IsBridge(observed, each);
         });
}

std::vector<const HostLink*> Uplinks(const Observed& observed) {
  std::vector<const HostLink*> uplinks;
  for (const Link* link : FindUplinks(observed.network)) {
    uplinks.push_back(FindLink(observed, link->ifindex));
  }
  return uplinks;
}

absl::StatusOr<int64_t> ReadNumber(const Host& host, const std::string& path) {
  SVNET_ASSIGN_OR_RETURN(const std::string text, host.ReadFile(path));
  int64_t number;
  if (absl::SimpleAtoi(absl::StripAsciiWhitespace(text), &number)) return number;
  return absl::InvalidArgumentError(absl::StrCat(path, " does not contain a number"));
}

}  // namespace svnet::client
