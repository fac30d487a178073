#include "daemon/network/tap_destroyer.h"

#include <set>
#include <vector>

#include "daemon/base/status_macros.h"

namespace svnet {

TapDestroyer::Result TapDestroyer::Destroy(const ReapPiece& piece) {
  std::set<Ipv4Address> addresses;
  for (const auto& [ifindex, tap] : piece.taps) {
    if (tap.address.has_value()) addresses.insert(*tap.address);
  }
  Result result;
  result.destroyed = DestroyTaps(piece);
  if (result.destroyed.ok()) result.flows_forgotten = reaper_.ForgetFlows(addresses);
  return result;
}

absl::Status TapDestroyer::DestroyTaps(const ReapPiece& piece) {
  std::vector<Ifindex> taps;
  for (const auto& [ifindex, tap] : piece.taps) {
    if (!tap.gone) taps.push_back(ifindex);
  }
  if (taps.size() > 1 && !piece.has_others) return reaper_.DeleteGroup(piece.group);
  for (const Ifindex tap : taps) SVNET_RETURN_IF_ERROR(reaper_.DeleteLink(tap));
  return absl::OkStatus();
}

}  // namespace svnet
