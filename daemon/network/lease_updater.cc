#include "daemon/network/lease_updater.h"

#include <limits>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/lease/alias.h"
#include "daemon/network/event_sink.h"
#include "daemon/network/expiry.h"
#include "daemon/network/lease_book.h"
#include "daemon/network/network_rules.h"
#include "daemon/network/spec_texts.h"

namespace svnet {
namespace {

absl::Status CheckGeneration(const LeaseSpec& spec, const UpdateRequest& request) {
  if (request.if_generation.value_or(spec.generation) != spec.generation) {
    return Error(Reason::kStaleGeneration,
                 absl::StrCat("the lease has generation ", spec.generation, " and not ",
                              *request.if_generation, ": read it again, and decide anew"));
  }
  if (spec.generation < std::numeric_limits<uint32_t>::max()) return absl::OkStatus();
  return Error(Reason::kUnsupported,
               absl::StrCat(spec.tap.text(), " has been changed ", spec.generation,
                            " times, which is the limit: remove it, and create it anew"));
}

}  // namespace

absl::StatusOr<Lease> LeaseUpdater::Update(const Caller& caller, const Lease& lease,
                                           const UpdateRequest& request) {
  SVNET_RETURN_IF_ERROR(CheckGeneration(lease.spec, request));
  Lease changed = lease;
  ++changed.spec.generation;
  const Lifetime wanted = request.lifetime.value_or(lease.spec.lifetime);
  SVNET_ASSIGN_OR_RETURN(Process process, parts_.expiry->OpenProcessFor(caller, wanted));
  changed.spec.lifetime = WithStartTime(wanted, process.start_time);
  // One that was cut off, and gets another spec, is let through before that counts.
  const bool was_lost = parts_.texts->WhyLost(lease.spec).has_value();
  if (request.spec_text.has_value()) {
    SVNET_ASSIGN_OR_RETURN(changed.spec.text_digest, parts_.texts->Keep(*request.spec_text));
  }
  const Ifindex tap = changed.state.ifindex;
  absl::Cleanup cut_off = [&] {
    if (was_lost) parts_.rules->Revoke(changed.spec, tap).IgnoreError();
  };
  if (was_lost) SVNET_RETURN_IF_ERROR(Admit(changed.spec, tap));
  SVNET_RETURN_IF_ERROR(Commit(changed.spec, tap));
  std::move(cut_off).Cancel();
  parts_.book->SetSpec(changed.spec);
  parts_.expiry->Remove(tap);
  parts_.expiry->Add(changed, std::move(process), parts_.clock());
  parts_.events->Publish({.type = TapEvent::Type::kUpdated, .lease = changed, .message = {}});
  return changed;
}

absl::Status LeaseUpdater::Admit(const LeaseSpec& spec, Ifindex tap) {
  const absl::Status admitted = parts_.rules->Admit(spec, tap);
  if (admitted.ok()) return admitted;
  return WithReason(Reason::kTapCreateFailed, absl::StrCat("cannot change ", spec.tap.text()),
                    admitted);
}

// With the alias the change is made, for the next start, too.
absl::Status LeaseUpdater::Commit(const LeaseSpec& spec, Ifindex tap) {
  const absl::Status set = parts_.kernel->SetAlias(tap, FormatAlias(spec));
  if (set.ok()) return set;
  if (absl::IsNotFound(set)) {
    return Error(Reason::kTapNotFound,
                 absl::StrCat("another program has just deleted ", spec.tap.text()));
  }
  return WithReason(Reason::kTapCreateFailed, absl::StrCat("cannot change ", spec.tap.text()), set);
}

}  // namespace svnet
