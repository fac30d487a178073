#include "daemon/network/network.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/address/host_network_reader.h"
#include "daemon/base/error.h"
#include "daemon/base/repair_limit.h"
#include "daemon/base/status_macros.h"
#include "daemon/network/authorizer.h"
#include "daemon/network/event_poller.h"
#include "daemon/network/event_sink.h"
#include "daemon/network/expiry.h"
#include "daemon/network/failure_reporter.h"
#include "daemon/network/host_relations.h"
#include "daemon/network/infrastructure.h"
#include "daemon/network/lease_book.h"
#include "daemon/network/lease_creator.h"
#include "daemon/network/lease_ender.h"
#include "daemon/network/lease_updater.h"
#include "daemon/network/link_observer.h"
#include "daemon/network/network_cleaner.h"
#include "daemon/network/network_observer.h"
#include "daemon/network/network_rules.h"
#include "daemon/network/reconciler.h"
#include "daemon/network/repeated_request.h"
#include "daemon/network/spec_texts.h"
#include "daemon/network/tap_adopter.h"
#include "daemon/network/tap_reaper.h"
#include "daemon/segment/bridge_segment.h"

namespace svnet {
Network::Network(const NetworkSettings& settings, const Parts& parts)
    : settings_(settings),
      parts_(parts),
      book_(std::make_unique<LeaseBook>(settings.prefix)),
      segment_(std::make_unique<BridgeSegment>(settings, parts.kernel)),
      rules_(std::make_unique<NetworkRules>(settings.isolation, parts.kernel, parts.firewall,
                                            parts.texts)),
      infrastructure_(
          std::make_unique<Infrastructure>(settings, book_.get(), segment_.get(), rules_.get())),
      limit_(std::make_unique<RepairLimit>()),
      failures_(std::make_unique<FailureReporter>(parts.events)),
      expiry_(std::make_unique<Expiry>(parts.kernel, parts.poller)),
      reaper_(std::make_unique<TapReaper>(TapReaper::Parts{.kernel = parts.kernel,
                                                           .segment = segment_.get(),
                                                           .infrastructure = infrastructure_.get(),
                                                           .book = book_.get(),
                                                           .expiry = expiry_.get(),
                                                           .limit = limit_.get(),
                                                           .events = parts.events,
                                                           .failures = failures_.get(),
                                                           .clock = parts.clock})),
      link_observer_(std::make_unique<LinkObserver>(
          LinkObserver::Parts{.kernel = parts.kernel,
                              .segment = segment_.get(),
                              .infrastructure = infrastructure_.get(),
                              .book = book_.get(),
                              .expiry = expiry_.get(),
                              .reaper = reaper_.get(),
                              .events = parts.events,
                              .clock = parts.clock})),
      adopter_(
          std::make_unique<TapAdopter>(settings, TapAdopter::Parts{.kernel = parts.kernel,
                                                                   .segment = segment_.get(),
                                                                   .rules = rules_.get(),
                                                                   .texts = parts.texts,
                                                                   .book = book_.get(),
                                                                   .expiry = expiry_.get(),
                                                                   .reaper = reaper_.get(),
                                                                   .observer = link_observer_.get(),
                                                                   .events = parts.events,
                                                                   .failures = failures_.get(),
                                                                   .clock = parts.clock})),
      ender_(std::make_unique<LeaseEnder>(LeaseEnder::Parts{.kernel = parts.kernel,
                                                            .book = book_.get(),
                                                            .expiry = expiry_.get(),
                                                            .reaper = reaper_.get(),
                                                            .observer = link_observer_.get(),
                                                            .failures = failures_.get(),
                                                            .clock = parts.clock})),
      reconciler_(
          std::make_unique<Reconciler>(Reconciler::Parts{.kernel = parts.kernel,
                                                         .segment = segment_.get(),
                                                         .rules = rules_.get(),
                                                         .texts = parts.texts,
                                                         .infrastructure = infrastructure_.get(),
                                                         .book = book_.get(),
                                                         .expiry = expiry_.get(),
                                                         .reaper = reaper_.get(),
                                                         .ender = ender_.get(),
                                                         .observer = link_observer_.get(),
                                                         .adopter = adopter_.get(),
                                                         .limit = limit_.get(),
                                                         .events = parts.events,
                                                         .failures = failures_.get(),
                                                         .clock = parts.clock})),
      creator_(std::make_unique<LeaseCreator>(
          settings, LeaseCreator::Parts{.kernel = parts.kernel,
                                        .segment = segment_.get(),
                                        .rules = rules_.get(),
                                        .infrastructure = infrastructure_.get(),
                                        .book = book_.get(),
                                        .reaper = reaper_.get(),
                                        .texts = parts.texts,
                                        .wall_clock = parts.wall_clock})),
      updater_(std::make_unique<LeaseUpdater>(LeaseUpdater::Parts{.kernel = parts.kernel,
                                                                  .rules = rules_.get(),
                                                                  .texts = parts.texts,
                                                                  .book = book_.get(),
                                                                  .expiry = expiry_.get(),
                                                                  .events = parts.events,
                                                                  .clock = parts.clock})),
      host_(std::make_unique<HostRelations>(parts.foreign, parts.events)),
      observer_(std::make_unique<NetworkObserver>(NetworkObserver::Parts{
          .rules = rules_.get(),
          .infrastructure = infrastructure_.get(),
          .texts = parts.texts,
          .book = book_.get(),
          .reaper = reaper_.get(),
          .reconciler = reconciler_.get(),
          .clock = parts.clock})),
      cleaner_(std::make_unique<NetworkCleaner>(
          NetworkCleaner::Parts{.segment = segment_.get(),
                                .infrastructure = infrastructure_.get(),
                                .book = book_.get(),
                                .reaper = reaper_.get(),
                                .adopter = adopter_.get(),
                                .reconciler = reconciler_.get(),
                                .host = host_.get()})) {}

Network::~Network() = default;

absl::Status Network::Begin() { return reconciler_->Begin(); }

absl::Status Network::CatchUp(const HostEvents& events) {
  const absl::StatusOr<bool> turned_forwarding_on = reconciler_->CatchUp(events);
  if (infrastructure_->WasEnsured()) ReportUp();
  if (rules_->TakeForeignChange()) host_->NoteForeignChange();
  if (turned_forwarding_on.ok() && *turned_forwarding_on) host_->NoteForwardingOn(true);
  return turned_forwarding_on.status();
}

void Network::ReportUp() {
  if (!host_->is_up()) host_->ReportUp(ReadUplink(parts_.kernel));
}

absl::Status Network::DisownRules() { return rules_->Disown(book_->leases()); }

bool Network::NoteForwardFilter(const std::string& whose) {
  if (!rules_->OpenOtherForwarding()) return false;
  host_->NoteForwardingOpened(whose);
  return true;
}

absl::StatusOr<Lease> Network::CreateTap(const Caller& caller, const LeaseKey& key,
                                         const TapRequest& request, const Holdings& held,
                                         bool* made) {
  SVNET_ASSIGN_OR_RETURN(Process process, expiry_->OpenProcessFor(caller, request.lifetime));
  TapRequest exact = request;
  exact.lifetime = WithStartTime(exact.lifetime, process.start_time);
  if (const Lease* lease = leases().Find(key)) {
    SVNET_RETURN_IF_ERROR(CheckRepeated(lease->spec, exact));
    SVNET_RETURN_IF_ERROR(CheckNotLost(lease->spec));
    link_observer_->RefreshAttachment(lease->state.ifindex);
    return *lease;
  }
  SVNET_RETURN_IF_ERROR(Authorizer(caller).CheckQuota(key.owner, held, request.queues));
  SVNET_ASSIGN_OR_RETURN(LeaseCreator::Created created, creator_->Create(key, exact));
  ReportUp();
  if (created.turned_forwarding_on) host_->NoteForwardingOn(false);
  const absl::Time now = parts_.clock();
  book_->Insert(created.lease, now);
  expiry_->Add(created.lease, std::move(process), now);
  parts_.events->Publish({.type = TapEvent::Type::kAdded, .lease = created.lease, .message = {}});
  *made = true;
  return std::move(created.lease);
}

absl::Status Network::CheckNotLost(const LeaseSpec& spec) const {
  const std::optional<std::string> why = parts_.texts->WhyLost(spec);
  if (!why.has_value()) return absl::OkStatus();
  return Error(Reason::kSpecLost, absl::StrCat("the guest on ", spec.tap.text(),
                                               " is cut off, because what it was "
                                               "granted cannot be read (",
                                               *why, "): remove the TAP, and create it anew"));
}

absl::StatusOr<Lease> Network::UpdateTap(const Caller& caller, const Lease& lease,
                                         const UpdateRequest& request) {
  return updater_->Update(caller, lease, request);
}

absl::Status Network::RemoveTap(const Lease& lease) {
  const LinkName tap = lease.spec.tap;
  const absl::Status removed = reaper_->Retire(lease, "");
  if (removed.ok()) return removed;
  return Explain(Reason::kBridgeSetupFailed, absl::StrCat("cannot remove ", tap.text()), removed);
}

std::string Network::BootArgsFor(const Lease& lease, const BootArgsRequest& request) const {
  return RenderBootArgs({.guest = lease.spec.ip,
                         .prefix = settings_.prefix,
                         .hostname = request.hostname,
                         .guest_interface = request.guest_interface,
                         .dns_servers = request.dns_servers});
}

const LeaseTable& Network::leases() const { return book_->leases(); }

Holdings Network::HoldingsOf(uid_t owner) const { return book_->HoldingsOf(owner); }

absl::StatusOr<CleanupResult> Network::CleanupOf(uid_t owner) { return cleaner_->CleanupOf(owner); }

absl::StatusOr<CleanupResult> Network::CleanupAll(TapDestroyer* destroyer) {
  return cleaner_->CleanupAll(destroyer);
}

absl::StatusOr<NetworkStatus> Network::Observe(bool* looked) {
  absl::StatusOr<NetworkStatus> status = observer_->Observe(looked);
  if (status.ok()) NoteUplink(*status);
  return status;
}

absl::StatusOr<NetworkMeasures> Network::Measure() {
  absl::StatusOr<NetworkMeasures> measures = observer_->Measure();
  if (measures.ok()) NoteUplink(measures->status);
  return measures;
}

// The default route may lead elsewhere by now.
void Network::NoteUplink(const NetworkStatus& status) {
  if (host_->is_up()) host_->ReportUp(status.infrastructure.segment.uplink);
}

NetworkHealth Network::Health() const { return reconciler_->Health(); }

std::optional<absl::Time> Network::NextDue() const { return reconciler_->NextDue(); }

bool Network::monitor_ok() const { return reconciler_->monitor_ok(); }

std::optional<absl::Time> Network::NextReap() const { return book_->NextReap(); }

bool Network::IsReaping() const { return book_->IsReaping(); }

ReapBatch Network::TakeReapBatch() { return reaper_->Take(); }

void Network::FinishReap(const TapDestroyer::Result& result) { reaper_->Finish(result); }

}  // namespace svnet
