#include "daemon/network/lease_updater.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/lease/alias.h"
#include "daemon/network/event_sink.h"
#include "daemon/network/expiry.h"
#include "daemon/network/lease_book.h"

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
  // The alias is what counts: with it the change is made, for the next start, too.
  const Ifindex tap = changed.state.ifindex;
  const absl::Status set = parts_.kernel->SetAlias(tap, FormatAlias(changed.spec));
  if (absl::IsNotFound(set)) {
    return Error(Reason::kTapNotFound,
                 absl::StrCat("another program has just deleted ", changed.spec.tap.text()));
  }
  if (!set.ok()) {
    return Explain(Reason::kTapCreateFailed,
                   absl::StrCat("cannot change ", changed.spec.tap.text()), set);
  }
  parts_.book->SetSpec(changed.spec);
  parts_.expiry->Remove(tap);
  parts_.expiry->Add(changed, std::move(process), parts_.clock());
  parts_.events->Publish({.type = TapEvent::Type::kUpdated, .lease = changed, .message = {}});
  return changed;
}

}  // namespace svnet
