#include "daemon/network/authorizer.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"

namespace svnet {
namespace {

absl::Status OverQuota(uid_t owner, uint32_t has, absl::string_view things, uint32_t limit,
                       absl::string_view key) {
  return Error(Reason::kQuotaExceeded,
               absl::StrCat("uid ", owner, " has ", has, " ", things, ", and may have ", limit,
                            ": remove TAPs that are no longer used, or have `", key, "` raised"));
}

}  // namespace

absl::Status NetworkNotFound(const NetworkName& name) {
  return Error(Reason::kNetworkNotFound,
               absl::StrCat("there is no network \"", name.text(),
                            "\" that you may use: ListNetworks lists those that there are"));
}

bool Authorizer::MayUse(const NetworkSettings& network) const {
  if (caller_.administrator || (network.users.empty() && network.groups.empty())) return true;
  return network.users.contains(caller_.uid) ||
         std::any_of(network.groups.begin(), network.groups.end(),
                     [&](gid_t group) { return caller_.IsInGroup(group); });
}

bool Authorizer::CanActFor(uid_t owner) const {
  return owner == caller_.uid || caller_.administrator;
}

absl::StatusOr<LeaseKey> Authorizer::KeyFor(const LeaseIds& ids) const {
  const uid_t owner = ids.owner.value_or(caller_.uid);
  if (CanActFor(owner)) return LeaseKey{.owner = owner, .vm = ids.vm, .iface = ids.iface};
  return Error(Reason::kPermissionDenied, "only administrators may set another owner_uid");
}

absl::Status Authorizer::CheckGroup(const std::optional<gid_t>& group) const {
  if (!group.has_value() || caller_.administrator || caller_.IsInGroup(*group)) {
    return absl::OkStatus();
  }
  return Error(Reason::kPermissionDenied,
               absl::StrCat("group_gid ", *group, " is not one of the caller's groups"));
}

absl::Status Authorizer::CheckQuota(uid_t owner, const Holdings& held, int queues) const {
  if (caller_.administrator) return absl::OkStatus();
  if (held.taps >= caller_.tap_limit) {
    return OverQuota(owner, held.taps, "TAPs", caller_.tap_limit, "taps_per_user");
  }
  if (queues > 1 && held.queues + static_cast<uint32_t>(queues) > caller_.queue_limit) {
    return OverQuota(owner, held.queues, "queues of multi-queue TAPs", caller_.queue_limit,
                     "queues_per_user");
  }
  return absl::OkStatus();
}

absl::Status Authorizer::CheckNetworkCleanup() const {
  if (caller_.administrator) return absl::OkStatus();
  return Error(Reason::kPermissionDenied, "only administrators may clean up the whole network");
}

std::vector<Condition> Authorizer::Filter(const std::vector<Condition>& conditions) const {
  if (caller_.administrator) return conditions;
  std::vector<Condition> told;
  for (Condition condition : conditions) {
    if (!condition.for_all.empty()) {
      condition.message = condition.for_all;
      condition.remedy = "an administrator sees more: `svnetctl status` as root";
    }
    // Of several that differ only in what they name, one is enough.
    if (std::find(told.begin(), told.end(), condition) == told.end()) told.push_back(condition);
  }
  return told;
}

std::vector<Setting> Authorizer::Filter(std::vector<Setting> settings) const {
  if (!caller_.administrator) {
    std::erase_if(settings, [](const Setting& setting) { return !setting.for_all; });
  }
  return settings;
}

}  // namespace svnet
