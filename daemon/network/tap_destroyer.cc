#include "daemon/network/tap_destroyer.h"

#include "daemon/base/status_macros.h"

namespace svnet {

TapDestroyer::Result TapDestroyer::Destroy(const ReapPiece& piece) {
  std::set<Ifindex> taps;
  std::set<Ipv4Address> addresses;
  for (const auto& [ifindex, tap] : piece.taps) {
    if (!tap.gone) taps.insert(ifindex);
    if (tap.address.has_value()) addresses.insert(*tap.address);
  }
  Result result;
  result.destroyed = DestroyGroup(piece.group, taps);
  if (result.destroyed.ok()) result.flows_forgotten = reaper_.ForgetFlows(addresses);
  return result;
}

absl::Status TapDestroyer::DestroyGroup(uint32_t group, const std::set<Ifindex>& taps) {
  if (taps.size() > 1) {
    const absl::Status status =
        reaper_.DeleteGroup(group, [&](Ifindex link) { return taps.contains(link); });
    if (!absl::IsFailedPrecondition(status)) return status;
  }
  for (const Ifindex tap : taps) SVNET_RETURN_IF_ERROR(reaper_.DeleteLink(tap));
  return absl::OkStatus();
}

}  // namespace svnet
