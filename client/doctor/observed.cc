#include "client/doctor/observed.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/status_macros.h"

namespace svnet::client {
namespace {

constexpr char kDefaultBridge[] = "svbr0";
// 172.30.0.0/24
constexpr Ipv4Address kDefaultNetwork(0xac1e0000);
constexpr int kDefaultLength = 24;

Ipv4Prefix PrefixOf(const v1::GetNetworkResponse& network) {
  return Ipv4Prefix::Parse(network.prefix())
      .value_or(Ipv4Prefix::Containing(kDefaultNetwork, kDefaultLength));
}

// Into `list`, or into `status` if it is an error.
template <typename T>
void Take(absl::StatusOr<T> read, T& list, absl::Status& status) {
  if (read.ok()) {
    list = *std::move(read);
  } else {
    status.Update(read.status());
  }
}

}  // namespace

Observed Observe(const Host& host, Answers svnetd) {
  const std::string bridge = svnetd.network.bridge();
  const Ipv4Prefix prefix = PrefixOf(svnetd.network);
  Observed observed = {.host = host,
                       .svnetd = std::move(svnetd),
                       .links = {},
                       .addresses = {},
                       .routes = {},
                       .netlink = absl::OkStatus(),
                       .nft = host.NftChains(),
                       .legacy = host.LegacyChains(),
                       .bridge = bridge.empty() ? kDefaultBridge : bridge,
                       .prefix = prefix};
  Take(host.Links(), observed.links, observed.netlink);
  Take(host.Addresses(), observed.addresses, observed.netlink);
  Take(host.Routes(), observed.routes, observed.netlink);
  return observed;
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

std::vector<const HostLink*> Uplinks(const Observed& observed) {
  std::vector<HostRoute> defaults;
  for (const HostRoute& route : observed.routes) {
    if (route.destination.length() == 0 && !route.is_local) defaults.push_back(route);
  }
  std::stable_sort(defaults.begin(), defaults.end(),
                   [](const HostRoute& a, const HostRoute& b) { return a.metric < b.metric; });
  std::vector<const HostLink*> uplinks;
  for (const HostRoute& route : defaults) {
    const HostLink* link = FindLink(observed, route.ifindex);
    const bool known = std::find(uplinks.begin(), uplinks.end(), link) != uplinks.end();
    if (link != nullptr && !known) uplinks.push_back(link);
  }
  return uplinks;
}

absl::StatusOr<int64_t> ReadNumber(const Host& host, const std::string& path) {
  SVNET_ASSIGN_OR_RETURN(const std::string text, host.ReadFile(path));
  int64_t number;
  if (absl::SimpleAtoi(absl::StripAsciiWhitespace(text), &number)) return number;
  return absl::InvalidArgumentError(absl::StrCat(path, " holds no number"));
}

}  // namespace svnet::client
