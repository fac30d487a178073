#include "daemon/config/network_conflicts.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "daemon/base/nearest.h"
#include "daemon/base/status_macros.h"
#include "daemon/config/config_keys.h"
#include "daemon/lease/names.h"

namespace svnet {
namespace {

// The filter of route notifications has 14 instructions for each prefix, of at most 4,096.
constexpr size_t kMostNetworks = 64;

struct LinkGroups {
  uint32_t first;
  uint32_t last;
};

LinkGroups GroupsOf(const NetworkConfig& network) {
  if (network.kind == NetworkKind::kRouted) {
    const uint32_t first = DeriveRoutedGroup(network.bridge);
    return {.first = first, .last = first | ~kRoutedGroupMask};
  }
  const uint32_t group = DeriveLinkGroup(network.bridge);
  return {.first = group, .last = RetiredGroupOf(group, kRetiredGroups - 1)};
}

bool GroupsOverlap(const NetworkConfig& one, const NetworkConfig& other) {
  const LinkGroups a = GroupsOf(one);
  const LinkGroups b = GroupsOf(other);
  return a.first <= b.last && b.first <= a.last;
}

std::vector<std::string> NamesOf(const std::vector<NetworkConfig>& networks) {
  std::vector<std::string> names;
  for (const NetworkConfig& network : networks) names.push_back(network.name.text());
  return names;
}

std::string NameOf(const NetworkConfig& network) {
  return absl::StrCat(network.name.text(), network.closed ? ", which has gone from the "
                                                            "configuration, and still has TAPs"
                                                          : "");
}

// Compares networks, and says what is wrong with the one that comes later.
class Conflicts {
 public:
  explicit Conflicts(const KeyPlaces& places) : places_(places) {}

  absl::Status Check(const NetworkConfig& earlier, const NetworkConfig& later) const {
    if (later.bridge == earlier.bridge) {
      return Error(later, "bridge", later.bridge.text(), " is the bridge of the network ",
                   NameOf(earlier), ": each network needs its own");
    }
    if (later.subnet.Overlaps(earlier.subnet)) {
      return Error(later, "subnet", later.subnet.ToString(), " overlaps ",
                   earlier.subnet.ToString(), " of the network ", NameOf(earlier));
    }
    if (GroupsOverlap(earlier, later)) {
      return Error(later, "bridge", "the link groups that svnetd derives from ",
                   later.bridge.text(), " and from ", earlier.bridge.text(), " of the network ",
                   NameOf(earlier), " overlap: set another `bridge`");
    }
    return absl::OkStatus();
  }

  absl::Status CheckPeers(const NetworkConfig& network,
                          const std::vector<std::string>& names) const {
    for (const NetworkName& peer : network.peers) {
      if (peer == network.name) {
        return Error(network, "peers", peer.text(), " is the network itself");
      }
      if (std::find(names.begin(), names.end(), peer.text()) != names.end()) continue;
      const std::optional<std::string> nearest = FindNearest(peer.text(), names);
      return Error(network, "peers", "there is no network ", peer.text(),
                   nearest.has_value() ? absl::StrCat(": did you mean ", *nearest, "?") : "",
                   "; networks: ", absl::StrJoin(names, ", "));
    }
    return absl::OkStatus();
  }

 private:
  template <typename... Texts>
  absl::Status Error(const NetworkConfig& network, absl::string_view key,
                     const Texts&... message) const {
    return absl::InvalidArgumentError(
        absl::StrCat(places_.at(PathOf(network.name, key)), ": ", message...));
  }

  const KeyPlaces& places_;
};

}  // namespace

absl::Status CheckNetworks(const std::vector<NetworkConfig>& networks, const KeyPlaces& places) {
  if (networks.size() > kMostNetworks) {
    return absl::InvalidArgumentError(absl::StrCat(
        "there are ", networks.size(), " networks, and svnetd serves at most ", kMostNetworks));
  }
  const Conflicts conflicts(places);
  const std::vector<std::string> names = NamesOf(networks);
  for (const NetworkConfig& network : networks) {
    SVNET_RETURN_IF_ERROR(conflicts.CheckPeers(network, names));
  }
  for (size_t later = 1; later < networks.size(); ++later) {
    for (size_t earlier = 0; earlier < later; ++earlier) {
      SVNET_RETURN_IF_ERROR(conflicts.Check(networks[earlier], networks[later]));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckNetworks(const std::vector<NetworkConfig>& networks) {
  KeyPlaces places;
  for (const NetworkConfig& network : networks) {
    for (const char* key : {"bridge", "subnet", "peers"}) {
      const std::string path = PathOf(network.name, key);
      places.emplace(path, path);
    }
  }
  return CheckNetworks(networks, places);
}

}  // namespace svnet
