#include "daemon/service/network_plan.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/config/config_keys.h"
#include "daemon/config/network_conflicts.h"
#include "daemon/lease/adoption.h"
#include "daemon/lease/left_taps.h"
#include "daemon/lease/names.h"

namespace svnet {
namespace {

const Link* FindBridge(const std::vector<Link>& links, const LinkName& name) {
  const auto found = std::find_if(links.begin(), links.end(), [&](const Link& link) {
    return link.kind == LinkKind::kBridge && link.name == name.text();
  });
  return found == links.end() ? nullptr : &*found;
}

TapPlan PlanOf(const NetworkConfig& network, const std::vector<Link>& links) {
  const bool routed = network.kind == NetworkKind::kRouted;
  const Link* bridge = FindBridge(links, network.bridge);
  return {.network = network.name,
          .kind = network.kind,
          .bridge_name = network.bridge,
          .bridge = bridge == nullptr ? 0 : bridge->ifindex,
          .group = routed ? DeriveRoutedGroup(network.bridge) : DeriveLinkGroup(network.bridge),
          .mac = kTapMac};
}

bool HasBridge(const NetworkConfig& network, const std::vector<Link>& links) {
  const Link* bridge = FindBridge(links, network.bridge);
  return bridge != nullptr && bridge->alias == kBridgeAlias;
}

bool HasTaps(const NetworkConfig& network, const std::vector<Link>& links) {
  const TapPlan plan = PlanOf(network, links);
  return std::any_of(links.begin(), links.end(),
                     [&](const Link& link) { return IsOurTap(link, plan); });
}

NetworkConfig Closed(NetworkConfig network) {
  network.closed = true;
  return network;
}

std::string Quoted(const std::optional<MacAddress>& mac) {
  return mac.has_value() ? mac->ToString() : "auto";
}

// `of`: whose leases have to end first.
absl::Status Refuse(const Link& lease, absl::string_view key, absl::string_view earlier,
                    absl::string_view of) {
  return Error(Reason::kBridgeSetupFailed,
               absl::StrCat("TAP ", lease.name, " is a lease of when `", key, "` was \"", earlier,
                            "\": set that again. To change it, first run `svnetctl cleanup ",
                            "--network --of ", of, "`, which ends all its leases"));
}

// `kind` and `subnet` are CheckLeftTaps'.
absl::Status CheckUnchanged(const NetworkConfig& before, const NetworkConfig& now,
                            const std::vector<Link>& links) {
  if (before.bridge == now.bridge && before.gateway_mac == now.gateway_mac) {
    return absl::OkStatus();
  }
  const Link* lease = FindLease(links, PlanOf(before, links));
  if (lease == nullptr) return absl::OkStatus();
  const std::string& name = now.name.text();
  if (before.bridge != now.bridge) {
    return Refuse(*lease, PathOf(now.name, "bridge"), before.bridge.text(), name);
  }
  return Refuse(*lease, PathOf(now.name, "gateway_mac"), Quoted(before.gateway_mac), name);
}

}  // namespace

absl::Status CheckTablesNotMoved(const Config& config, const Config& served,
                                 const std::vector<Link>& links) {
  const LinkName& before = served.default_network().bridge;
  if (before == config.default_network().bridge) return absl::OkStatus();
  for (const NetworkConfig& network : served.networks) {
    const Link* lease = FindLease(links, PlanOf(network, links));
    if (lease != nullptr) return Refuse(*lease, "bridge", before.text(), "'*'");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<NetworkConfig>> PlanNetworks(const Config& config,
                                                        const std::optional<Config>& served,
                                                        const std::vector<Link>& links) {
  if (!served.has_value()) return config.networks;
  SVNET_RETURN_IF_ERROR(CheckTablesNotMoved(config, *served, links));
  std::vector<NetworkConfig> gone;
  for (const NetworkConfig& before : served->networks) {
    const NetworkConfig* now = FindNetwork(config.networks, before.name);
    if (now != nullptr) {
      SVNET_RETURN_IF_ERROR(CheckUnchanged(before, *now, links));
    } else if (HasTaps(before, links)) {
      gone.push_back(Closed(before));
    } else if (HasBridge(before, links) && JoinNetworks({before}, config.networks).ok()) {
      gone.push_back(Closed(before));
    }
  }
  return JoinNetworks(gone, config.networks);
}

absl::StatusOr<std::vector<NetworkConfig>> JoinNetworks(const std::vector<NetworkConfig>& standing,
                                                        const std::vector<NetworkConfig>& wanted) {
  std::vector<NetworkConfig> all = standing;
  all.insert(all.end(), wanted.begin(), wanted.end());
  for (NetworkConfig& network : all) {
    std::erase_if(network.peers, [&](const NetworkName& peer) {
      return network.closed && FindNetwork(all, peer) == nullptr;
    });
  }
  // The later ones are said to be wrong.
  SVNET_RETURN_IF_ERROR(CheckNetworks(all));
  std::sort(all.begin(), all.end(), [](const NetworkConfig& one, const NetworkConfig& other) {
    return std::pair(one.name != NetworkName(), one.name) <
           std::pair(other.name != NetworkName(), other.name);
  });
  return all;
}

}  // namespace svnet
