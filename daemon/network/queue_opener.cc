#include "daemon/network/queue_opener.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

absl::Status IsAttached(const Lease& lease) {
  return Error(Reason::kTapAttached,
               absl::StrCat("a process has ", lease.spec.tap.text(),
                            " open: it can be opened again when that has closed it"));
}

absl::Status HasGone(const Lease& lease) {
  return Error(Reason::kTapNotFound, absl::StrCat(lease.spec.tap.text(), " has just gone"));
}

absl::Status Explain(const Lease& lease, const absl::Status& cause) {
  if (absl::IsNotFound(cause)) return HasGone(lease);
  return WithReason(Reason::kTapCreateFailed, absl::StrCat("cannot open ", lease.spec.tap.text()),
                    cause);
}

bool IsMultiQueue(const Lease& lease) { return lease.spec.queues > 1; }

}  // namespace

absl::Status QueueOpener::Open(const Lease& lease, size_t most, OpenedTap* opened) {
  if (opened->tap == 0) {
    SVNET_RETURN_IF_ERROR(CheckIsFree(lease));
    opened->tap = lease.state.ifindex;
    opened->granted = static_cast<size_t>(lease.spec.queues);
  }
  // Another lease has its name since.
  if (opened->tap != lease.state.ifindex) return HasGone(lease);
  for (size_t i = 0; i < most && !opened->is_complete(); ++i) {
    SVNET_RETURN_IF_ERROR(OpenOne(lease, opened));
  }
  return absl::OkStatus();
}

// The kernel would give others more queues of a multi-queue TAP, and theirs the same settings.
absl::Status QueueOpener::CheckIsFree(const Lease& lease) {
  if (!IsMultiQueue(lease)) return absl::OkStatus();
  const absl::StatusOr<std::optional<Link>> link = kernel_.FindLink(lease.state.ifindex);
  if (!link.ok()) return Explain(lease, link.status());
  if (!link->has_value()) return HasGone(lease);
  return (*link)->open_queues.value_or(0) == 0 ? absl::OkStatus() : IsAttached(lease);
}

absl::Status QueueOpener::OpenOne(const Lease& lease, OpenedTap* opened) {
  absl::StatusOr<std::optional<UniqueFd>> queue =
      kernel_.OpenQueue(lease.spec.tap, lease.state.ifindex, IsMultiQueue(lease));
  if (!queue.ok()) return Explain(lease, queue.status());
  if (!queue->has_value()) return IsAttached(lease);
  if (opened->queues.empty()) {
    if (const absl::Status reset = kernel_.ResetQueueSettings(**queue); !reset.ok()) {
      return Explain(lease, reset);
    }
  }
  opened->queues.push_back(*std::move(*queue));
  return absl::OkStatus();
}

}  // namespace svnet
