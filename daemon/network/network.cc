#include "daemon/network/network.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/network/authorizer.h"
#include "daemon/network/host_relations.h"
#include "daemon/network/network_parts.h"
#include "daemon/network/queue_opener.h"
#include "daemon/network/repeated_request.h"

namespace svnet {

Network::Network(const NetworkSettings& settings, const Parts& given)
    : settings_(settings), given_(given), parts_(std::make_unique<NetworkParts>(settings, given)) {}

Network::~Network() = default;

absl::Status Network::CheckLeft(const std::vector<Link>& links) const {
  return parts_->adopter.CheckLeft(links);
}

absl::Status Network::Adopt() { return parts_->reconciler.Adopt(); }

void Network::Prepare() { parts_->reconciler.Prepare(); }

absl::Status Network::Begin() { return parts_->reconciler.Begin(); }

absl::Status Network::CatchUp(const HostEvents& events) {
  const absl::StatusOr<bool> turned_forwarding_on = parts_->reconciler.CatchUp(events);
  if (parts_->infrastructure.WasEnsured() || given_.host->IsUp(settings_.name)) ReportUp();
  if (turned_forwarding_on.ok() && *turned_forwarding_on) given_.host->NoteForwardingOn(true);
  return turned_forwarding_on.status();
}

void Network::ReportUp() {
  const std::optional<Uplink>& uplink = parts_->routes.uplink();
  given_.host->ReportUp(settings_.name, uplink.has_value() ? uplink->name : "");
}

absl::StatusOr<Lease> Network::CreateTap(const Caller& caller, const LeaseKey& key,
                                         const TapRequest& request, const Holdings& held,
                                         bool* made) {
  SVNET_ASSIGN_OR_RETURN(Process process, parts_->expiry.OpenProcessFor(caller, request.lifetime));
  TapRequest exact = request;
  exact.lifetime = WithStartTime(exact.lifetime, process.start_time);
  if (const Lease* lease = leases().Find(key)) {
    SVNET_RETURN_IF_ERROR(CheckRepeated(lease->spec, exact));
    SVNET_RETURN_IF_ERROR(given_.texts->CheckNotLost(lease->spec));
    parts_->link_observer.RefreshAttachment(lease->state.ifindex);
    return *lease;
  }
  SVNET_RETURN_IF_ERROR(parts_->closure.CheckOpen());
  SVNET_RETURN_IF_ERROR(Authorizer(caller).CheckQuota(key.owner, held, request.queues));
  absl::StatusOr<LeaseCreator::Created> made_now = parts_->creator.Create(key, exact);
  parts_->last_failure.Note(made_now.status());
  SVNET_ASSIGN_OR_RETURN(LeaseCreator::Created created, std::move(made_now));
  ReportUp();
  if (created.turned_forwarding_on) given_.host->NoteForwardingOn(false);
  const absl::Time now = given_.clock();
  parts_->book.Insert(created.lease, now);
  parts_->expiry.Add(created.lease, std::move(process), now);
  given_.events->Publish({.type = TapEvent::Type::kAdded, .lease = created.lease, .message = {}});
  *made = true;
  return std::move(created.lease);
}

void Network::SetClosed(bool closed) { parts_->closure.Set(closed); }

absl::Status Network::LeaveIfClosed() {
  if (!parts_->closure.IsToLeave() || HasTaps() || IsReaping()) return absl::OkStatus();
  if (!parts_->adopter.not_adopted().empty()) return absl::OkStatus();
  SVNET_RETURN_IF_ERROR(TakeAway().status());
  parts_->closure.NoteLeft();
  return absl::OkStatus();
}

absl::StatusOr<Lease> Network::UpdateTap(const Caller& caller, const Lease& lease,
                                         const UpdateRequest& request) {
  return parts_->updater.Update(caller, lease, request);
}

absl::Status Network::RemoveTap(const Lease& lease) {
  const LinkName tap = lease.spec.tap;
  const absl::Status removed = parts_->reaper.Retire(lease, "");
  if (removed.ok()) return removed;
  return WithReason(Reason::kBridgeSetupFailed, absl::StrCat("cannot remove ", tap.text()),
                    removed);
}

absl::Status Network::OpenQueues(const Lease& lease, size_t most, OpenedTap* opened) {
  return QueueOpener(given_.kernel).Open(lease, most, opened);
}

std::string Network::BootArgsFor(const Lease& lease, const BootArgsRequest& request) const {
  const Ipv4Prefix prefix = GuestPrefixOf(lease.spec, settings_.prefix);
  return RenderBootArgs({.guest = GuestAddressOf(lease.spec),
                         .gateway = lease.spec.view ? lease.spec.view->gateway : GatewayOf(prefix),
                         .netmask = prefix.netmask(),
                         .hostname = request.hostname,
                         .guest_interface = request.guest_interface,
                         .dns_servers = request.dns_servers});
}

const LeaseTable& Network::leases() const { return parts_->book.leases(); }

Holdings Network::HoldingsOf(uid_t owner) const { return parts_->book.HoldingsOf(owner); }

absl::StatusOr<std::vector<Ifindex>> Network::TapsOf(uid_t owner) {
  return parts_->cleaner.TapsOf(owner);
}

absl::StatusOr<std::vector<Ifindex>> Network::AllTaps() { return parts_->cleaner.AllTaps(); }

absl::StatusOr<bool> Network::RetireTap(Ifindex tap) { return parts_->cleaner.Retire(tap); }

bool Network::HasTaps() const { return leases().size() > 0 || parts_->book.HasRetiredDevices(); }

void Network::ReapNow() { parts_->book.FlushReap(); }

absl::StatusOr<CleanupResult> Network::TakeAway() { return parts_->cleaner.TakeAway(); }

const absl::Status& Network::WhyNotReaped() const { return parts_->reaper.why_not_reaped(); }

void Network::ForgetWhyNotReaped() { parts_->reaper.ForgetWhyNotReaped(); }

absl::StatusOr<NetworkStatus> Network::Observe(bool* looked) {
  absl::StatusOr<NetworkStatus> status = parts_->observer.Observe(looked);
  if (given_.host->IsUp(settings_.name)) ReportUp();
  return status;
}

absl::StatusOr<NetworkMeasures> Network::Measure() {
  absl::StatusOr<NetworkMeasures> measures = parts_->observer.Measure();
  if (given_.host->IsUp(settings_.name)) ReportUp();
  return measures;
}

absl::StatusOr<std::vector<Condition>> Network::FindConditions() {
  absl::StatusOr<std::vector<Condition>> conditions = parts_->observer.FindConditions();
  if (!conditions.ok()) return conditions;
  for (Condition& each : *conditions) each.network = settings_.name;
  return conditions;
}

NetworkHealth Network::Health() const {
  NetworkHealth health = parts_->reconciler.Health();
  health.network &= !parts_->last_failure.IsOfNetwork();
  return health;
}

std::optional<absl::Time> Network::NextDue() const { return parts_->reconciler.NextDue(); }

bool Network::monitor_ok() const { return parts_->reconciler.monitor_ok(); }

std::optional<absl::Time> Network::NextReap() const { return parts_->book.NextReap(); }

bool Network::IsReaping() const { return parts_->book.IsReaping(); }

ReapPiece Network::TakeReapPiece() { return parts_->reaper.Take(); }

bool Network::FinishReap(const ReapPiece& piece, const TapDestroyer::Result& result) {
  return parts_->reaper.Finish(piece, result);
}

}  // namespace svnet
