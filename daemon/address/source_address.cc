#include "daemon/address/source_address.h"

namespace svnet {

std::optional<Ipv4Address> MasqueradeAddress(const std::vector<LinkAddress>& addresses,
                                             Ifindex link, Ipv4Address next_hop) {
  std::optional<Ipv4Address> first;
  for (const LinkAddress& each : addresses) {
    if (each.ifindex != link || !each.is_source) continue;
    if (each.prefix.Contains(next_hop)) return each.address;
    if (!first.has_value()) first = each.address;
  }
  return first;
}

}  // namespace svnet
