#include "daemon/accept/admission.h"

#include <algorithm>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"

namespace svnet {
namespace {

bool IsInOneOf(const Caller& peer, const std::set<gid_t>& groups) {
  return std::any_of(groups.begin(), groups.end(),
                     [&](gid_t group) { return peer.IsInGroup(group); });
}

bool IsForeignRoot(const Caller& peer) { return peer.uid == 0 && peer.foreign; }

// Whoever is root in a container may have every uid and group of it: of an admin group, too.
bool IsAdministrator(const Caller& peer, const AdmissionRules& rules) {
  if (IsForeignRoot(peer)) return rules.foreign_root;
  return peer.uid == 0 || IsInOneOf(peer, rules.admin_groups);
}

std::string ExplainRefusal(const Caller& peer) {
  if (!IsForeignRoot(peer)) {
    return absl::StrCat("uid ", peer.uid,
                        " may not use svnetd: join the socket's group, or have it added to "
                        "`allow_users` or `allow_groups` in svnetd's [callers]");
  }
  return "uid 0 of another network namespace is not an administrator, and may not use svnetd: "
         "set `foreign_root = true` in svnetd's [callers] to make it one, or add \"root\" to "
         "`allow_users` to serve it as an ordinary caller";
}

bool IsAdmitted(const Caller& peer, const AdmissionRules& rules) {
  return peer.administrator || rules.all_users || rules.users.contains(peer.uid) ||
         IsInOneOf(peer, rules.groups) ||
         (rules.socket_group.has_value() && peer.IsInGroup(*rules.socket_group));
}

CallerLimits LimitsOf(const Caller& peer, const AdmissionRules& rules) {
  if (const auto own = rules.user_limits.find(peer.uid); own != rules.user_limits.end()) {
    return own->second;
  }
  std::optional<CallerLimits> best;
  for (const auto& [group, limits] : rules.group_limits) {
    if (!peer.IsInGroup(group)) continue;
    if (!best.has_value()) best = limits;
    best->taps = std::max(best->taps, limits.taps);
    best->queues = std::max(best->queues, limits.queues);
    best->connections = std::max(best->connections, limits.connections);
  }
  return best.value_or(rules.limits);
}

}  // namespace

Admission Admit(const Caller& peer, const AdmissionRules& rules) {
  Admission admission = {.caller = peer, .verdict = absl::OkStatus(), .connection_limit = 0};
  Caller& caller = admission.caller;
  caller.administrator = IsAdministrator(peer, rules);
  const CallerLimits limits = LimitsOf(peer, rules);
  const auto limit = [&](uint32_t of_others) {
    return caller.administrator ? std::numeric_limits<uint32_t>::max() : of_others;
  };
  caller.tap_limit = limit(limits.taps);
  caller.queue_limit = limit(limits.queues);
  admission.connection_limit = limit(limits.connections);
  if (!IsAdmitted(caller, rules)) {
    admission.verdict = Error(Reason::kPermissionDenied, ExplainRefusal(caller));
  }
  return admission;
}

AdmissionRules WithFewerConnections(AdmissionRules rules, uint32_t most) {
  const auto restrict = [most](CallerLimits& limits) {
    limits.connections = std::min(limits.connections, most);
  };
  restrict(rules.limits);
  for (auto& [uid, limits] : rules.user_limits) restrict(limits);
  for (auto& [gid, limits] : rules.group_limits) restrict(limits);
  return rules;
}

absl::Status TooManyConnections(const Admission& admission) {
  return Error(Reason::kQuotaExceeded,
               absl::StrCat("uid ", admission.caller.uid, " has ", admission.connection_limit,
                            " connections, and may have no more: close some, or have "
                            "`connections_per_user` raised"));
}

absl::Status RefusalOfAnybody(const absl::Status& verdict) {
  if (ReasonOf(verdict) == Reason::kQuotaExceeded) {
    return Error(Reason::kQuotaExceeded,
                 "this uid has as many connections as it may have: close some, or have "
                 "`connections_per_user` raised");
  }
  return Error(Reason::kPermissionDenied,
               "this uid may not use svnetd: join the socket's group, or have it added to "
               "`allow_users` or `allow_groups` in svnetd's [callers]");
}

}  // namespace svnet
