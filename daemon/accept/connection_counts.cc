#include "daemon/accept/connection_counts.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace svnet {
namespace {

// What svnetd needs for itself: files, sockets to the kernel, one for each gate. Some to spare.
constexpr size_t kOwnDescriptors = 256;
constexpr size_t kMaxAdministrators = 1024;
// What is not for calls: one of so many descriptors is for connections of that kind.
constexpr size_t kOneForTapsOf = 16;
constexpr size_t kOneForAdministratorsTapsOf = 64;

}  // namespace

ConnectionLimits ConnectionLimits::Plan(size_t descriptors, size_t users) {
  // A connection takes two while it is handed to its gate.
  const ConnectionLimits taps = PlanForTaps(descriptors);
  const size_t others = kOwnDescriptors + 2 * ConnectionCounts::kMaxRefused + taps.users +
                        taps.administrators + ConnectionCounts::kMaxRefused;
  const size_t connections = (std::max(descriptors, 2 * others) - others) / 2;
  const size_t administrators = std::min(kMaxAdministrators, connections / 4);
  return {.users = std::min(users, connections - administrators), .administrators = administrators};
}

ConnectionLimits ConnectionLimits::PlanForTaps(size_t descriptors) {
  return {.users = descriptors / kOneForTapsOf,
          .administrators = descriptors / kOneForAdministratorsTapsOf};
}

uint32_t& ConnectionCounts::Count::Of(const Caller& caller, const absl::Status& verdict) {
  if (!verdict.ok()) return refused;
  return caller.administrator ? administrators : users;
}

bool ConnectionCounts::Add(const Admission& admission, absl::Status* verdict, absl::Time now) {
  if (!MayAdd(admission, verdict, now)) return false;
  ++count_.Of(admission.caller, *verdict);
  ++counts_[admission.caller.uid].Of(admission.caller, *verdict);
  return true;
}

void ConnectionCounts::Remove(const Caller& caller, const absl::Status& verdict) {
  const auto count = counts_.find(caller.uid);
  --count_.Of(caller, verdict);
  --count->second.Of(caller, verdict);
  if (count->second.admitted() + count->second.refused == 0) counts_.erase(count);
}

bool ConnectionCounts::MayAdd(const Admission& admission, absl::Status* verdict, absl::Time now) {
  const auto found = counts_.find(admission.caller.uid);
  const Count count = found == counts_.end() ? Count() : found->second;
  if (verdict->ok() && count.admitted() >= admission.connection_limit) {
    *verdict = TooManyConnections(admission);
  }
  if (verdict->ok()) return HasRoomFor(admission.caller);
  return count_.refused < kMaxRefused && count.refused < kMaxRefusedOfOneUid && told_.Take(now);
}

bool ConnectionCounts::HasRoomFor(const Caller& caller) const {
  if (!caller.administrator) return count_.users < limits_.users;
  const size_t for_root = caller.uid == 0 ? 0 : limits_.administrators / 4;
  return count_.administrators < limits_.administrators - for_root;
}

std::string ConnectionCounts::ToString() const {
  return absl::StrCat(count_.users, " connections of users and ", count_.administrators,
                      " of administrators");
}

}  // namespace svnet
