#include "daemon/segment/bridge_neighbours.h"

#include <map>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/base/status_macros.h"

namespace svnet {

absl::Status BridgeNeighbours::Ensure(Ifindex bridge, const LeaseTable& leases) {
  if (clean_) return absl::OkStatus();
  SVNET_RETURN_IF_ERROR(Replace(bridge, leases));
  clean_ = true;
  return absl::OkStatus();
}

absl::Status BridgeNeighbours::DeleteAll(Ifindex bridge) {
  MarkDirty();
  return Replace(bridge, LeaseTable());
}

absl::Status BridgeNeighbours::Replace(Ifindex bridge, const LeaseTable& leases) {
  SVNET_ASSIGN_OR_RETURN(const std::vector<Neighbour> neighbours, kernel_.ListNeighbours(bridge));
  std::map<Ipv4Address, MacAddress> found;
  for (const Neighbour& neighbour : neighbours) {
    found.emplace(neighbour.address, neighbour.mac);
    if (leases.HasIp(neighbour.address)) continue;
    SVNET_RETURN_IF_ERROR(kernel_.DeleteNeighbour(bridge, neighbour.address));
  }
  for (const auto& [tap, lease] : leases.all()) {
    const auto known = found.find(lease.spec.ip);
    if (known != found.end() && known->second == lease.spec.mac) continue;
    SVNET_RETURN_IF_ERROR(
        kernel_.SetNeighbour(bridge, {.address = lease.spec.ip, .mac = lease.spec.mac}));
  }
  return absl::OkStatus();
}

absl::Status BridgeNeighbours::Set(const Lease& lease) {
  const absl::Status status =
      kernel_.SetNeighbour(lease.state.bridge, {.address = lease.spec.ip, .mac = lease.spec.mac});
  if (status.ok()) return status;
  Delete(lease).IgnoreError();
  MarkDirty();
  return status;
}

absl::Status BridgeNeighbours::Delete(const Lease& lease) {
  const absl::Status status = kernel_.DeleteNeighbour(lease.state.bridge, lease.spec.ip);
  if (!status.ok()) MarkDirty();
  return status;
}

void BridgeNeighbours::Note(const KernelChanges& changes, Ifindex bridge,
                            const LeaseTable& leases) {
  for (const auto& [at, mac] : changes.neighbours) {
    if (at.first != bridge) continue;
    const Lease* lease = leases.FindByIp(at.second);
    if (lease != nullptr && mac != lease->spec.mac) MarkDirty();
  }
}

}  // namespace svnet
