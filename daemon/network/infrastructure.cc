#include "daemon/network/infrastructure.h"

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/network/lease_book.h"
#include "daemon/network/prefix_conflict.h"
#include "daemon/network/route_observer.h"

namespace svnet {
namespace {

void Describe(Infrastructure::Change* change) {
  std::vector<absl::string_view> causes = change->segment.causes;
  std::vector<absl::string_view>& things = change->repaired_things;
  if (!causes.empty()) things.push_back("bridge");
  if (change->rules.turned_forwarding_on) {
    causes.push_back("net.ipv4.ip_forward was 0");
    things.push_back("forwarding");
  }
  if (change->rules.repaired && !change->segment.made) {
    causes.push_back("the nftables rules were changed");
    things.push_back("rules");
  }
  change->repaired = absl::StrJoin(causes, ", ");
}

}  // namespace

Infrastructure::Infrastructure(const NetworkSettings& settings, LeaseBook* book, Segment* segment,
                               NetworkRules* rules, RouteObserver* routes, PrefixConflict* conflict)
    : bridge_(settings.bridge),
      book_(*book),
      segment_(*segment),
      rules_(*rules),
      routes_(*routes),
      conflict_(*conflict) {}

absl::Status Infrastructure::CheckPrefix() {
  const absl::Status status = segment_.CheckPrefix();
  return status.ok() || ReasonOf(status).has_value() ? status : Explain(status);
}

absl::StatusOr<bool> Infrastructure::WasLeft() {
  SVNET_ASSIGN_OR_RETURN(const Segment::Found found, segment_.Find());
  if (found != Segment::Found::kSomething) return found == Segment::Found::kOurs;
  return rules_.Exist();
}

void Infrastructure::Prepare() {
  const absl::StatusOr<SegmentChange> change = segment_.Ensure(book_.leases().size() > 0);
  // What cannot be made as it should be may exist: then its guests keep their rules.
  const absl::StatusOr<std::optional<Gateway>> gateway =
      change.ok() ? segment_.gateway() : segment_.FindGateway();
  if (!gateway.ok() || !gateway->has_value()) return;
  rules_.NoteLink({.ifindex = (*gateway)->ifindex, .mac = (*gateway)->mac});
}

absl::StatusOr<Infrastructure::Change> Infrastructure::Ensure(For whom) {
  // Without leases the MTU may have to change.
  if (!IsDirty() && book_.leases().size() > 0) return Change{.in_use = true, .repaired = {}};
  absl::StatusOr<Change> change = EnsureAll(whom);
  if (!change.ok()) return Explain(change.status());
  was_ensured_ = true;
  for (const Ipv4Address& address : segment_.gateway().addresses) book_.Reserve(address);
  return change;
}

absl::StatusOr<Infrastructure::Change> Infrastructure::EnsureAll(For whom) {
  const LeaseTable& leases = book_.leases();
  Change change = {.in_use = leases.size() > 0, .repaired = {}};
  SVNET_ASSIGN_OR_RETURN(change.segment, segment_.Ensure(change.in_use));
  absl::Cleanup undo = [&] { Undo(change); };
  const GuestBridge bridge = {.ifindex = segment_.gateway().ifindex, .mac = segment_.gateway().mac};
  const bool forwarding = change.in_use || whom == For::kNewLease;
  SVNET_ASSIGN_OR_RETURN(change.rules, rules_.Ensure(bridge, forwarding));
  SVNET_RETURN_IF_ERROR(segment_.EnsureEntries(leases));
  routes_.MarkDirty();  // they could not be asked about as long as this was not whole
  SVNET_RETURN_IF_ERROR(FollowRoutes());
  std::move(undo).Cancel();
  Describe(&change);
  return change;
}

void Infrastructure::Undo(const Change& change) {
  if (change.in_use) return;
  if (!change.rules.applied && !change.segment.can_be_undone) return;
  was_ensured_ = false;
  rules_.Undo(change.rules);
  segment_.Undo(change.segment);
}

absl::Status Infrastructure::Disconnect(const Lease& lease) {
  SVNET_RETURN_IF_ERROR(rules_.Revoke(lease.spec, lease.state.ifindex));
  return segment_.Detach(lease);
}

absl::Status Infrastructure::Reconnect(const Lease& lease) {
  SVNET_RETURN_IF_ERROR(rules_.Admit(lease.spec, lease.state.ifindex));
  return segment_.Reattach(lease);
}

void Infrastructure::Note(const KernelChanges& changes) {
  segment_.Note(changes, book_.leases());
  routes_.Note(changes);
  conflict_.Note(changes);
  if (changes.forwarding) rules_.MarkForwardingDirty();
}

absl::Status Infrastructure::FollowRoutes() {
  if (!routes_.IsDirty()) return absl::OkStatus();
  absl::Status status = routes_.Look();
  if (status.ok()) status = rules_.SetPreferredSources(routes_.preferred_sources());
  if (!status.ok()) routes_.MarkDirty();
  return status;
}

absl::StatusOr<Infrastructure::Released> Infrastructure::Release() {
  was_ensured_ = false;
  absl::StatusOr<Released> released = ReleaseAll();
  if (!released.ok()) return Explain(released.status());
  return released;
}

// The rules first: a bridge without them is what the next start takes for its own.
absl::StatusOr<Infrastructure::Released> Infrastructure::ReleaseAll() {
  SVNET_ASSIGN_OR_RETURN(const NetworkRules::Released rules, rules_.Release());
  SVNET_ASSIGN_OR_RETURN(const bool bridge_removed, segment_.Release());
  return Released{.bridge_removed = bridge_removed,
                  .nat_removed = rules.nat_removed,
                  .forwarding_off = rules.forwarding_off};
}

absl::StatusOr<InfrastructureStatus> Infrastructure::Observe(const std::vector<Link>& links) {
  absl::StatusOr<InfrastructureStatus> status = ObserveAll(links);
  if (status.ok()) return status;
  return WithReason(Reason::kBridgeSetupFailed, "cannot read the network's state", status.status());
}

absl::StatusOr<InfrastructureStatus> Infrastructure::ObserveAll(const std::vector<Link>& links) {
  InfrastructureStatus status;
  SVNET_ASSIGN_OR_RETURN(status.segment, segment_.Observe(links));
  SVNET_ASSIGN_OR_RETURN(status.connections, rules_.ReadConnections());
  routes_.MarkDirty();
  SVNET_RETURN_IF_ERROR(FollowRoutes());
  SVNET_RETURN_IF_ERROR(conflict_.Look(links));
  SVNET_RETURN_IF_ERROR(AddConditions(&status.conditions));
  return status;
}

absl::Status Infrastructure::AddConditions(std::vector<Condition>* conditions) {
  const bool in_use = book_.leases().size() > 0;
  SVNET_RETURN_IF_ERROR(segment_.AddConditions(in_use, conditions));
  SVNET_RETURN_IF_ERROR(rules_.AddConditions(in_use, conditions));
  conflict_.AddConditions(conditions);
  routes_.AddConditions(conditions);
  return absl::OkStatus();
}

absl::Status Infrastructure::Explain(const absl::Status& cause) const {
  return WithReason(Reason::kBridgeSetupFailed,
                    absl::StrCat("cannot set up bridge ", bridge_.text()), cause);
}

}  // namespace svnet
