#include "daemon/network/tap_destroyer.h"

#include <map>

#include "daemon/base/status_macros.h"
#include "daemon/lease/names.h"

namespace svnet {

TapDestroyer::Result TapDestroyer::Destroy(const ReapBatch& batch,
                                           const std::function<bool(Ifindex)>& is_retired) {
  std::set<Ifindex> taps;
  std::set<Ipv4Address> addresses;
  for (const auto& [ifindex, tap] : batch) {
    if (!tap.gone) taps.insert(ifindex);
    if (tap.address.has_value()) addresses.insert(*tap.address);
  }
  Result result;
  result.destroyed = DestroyGroup(RetiredGroupOf(group_), taps, is_retired);
  if (result.destroyed.ok()) result.flows_forgotten = reaper_.ForgetFlows(addresses);
  return result;
}

absl::Status TapDestroyer::DestroyGroup(uint32_t group, const std::set<Ifindex>& taps,
                                        const std::function<bool(Ifindex)>& is_retired) {
  if (taps.size() > 1) {
    const auto ours = [&](Ifindex link) { return taps.contains(link) || is_retired(link); };
    const absl::Status status = reaper_.DeleteGroup(group, ours);
    if (!absl::IsFailedPrecondition(status)) return status;
  }
  for (const Ifindex tap : taps) SVNET_RETURN_IF_ERROR(reaper_.DeleteLink(tap));
  return absl::OkStatus();
}

absl::Status TapDestroyer::DestroyAll(const std::vector<Link>& taps) {
  std::map<uint32_t, std::set<Ifindex>> groups;
  std::vector<Ifindex> others;
  for (const Link& tap : taps) {
    if (tap.group == group_ || tap.group == RetiredGroupOf(group_)) {
      groups[tap.group].insert(tap.ifindex);
    } else {
      others.push_back(tap.ifindex);
    }
  }
  const auto no_other = [](Ifindex) { return false; };
  for (const auto& [group, members] : groups) {
    SVNET_RETURN_IF_ERROR(DestroyGroup(group, members, no_other));
  }
  for (const Ifindex tap : others) SVNET_RETURN_IF_ERROR(reaper_.DeleteLink(tap));
  return absl::OkStatus();
}

}  // namespace svnet
