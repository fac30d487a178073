// Errors that a caller of the API can tell apart: an absl::Status that carries
// one of the contract's reasons (proto/svnet/v1/network.proto, ErrorReason).
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace svnet {

enum class Reason {
  kBridgeSetupFailed,
  kTapCreateFailed,
  kInvalidId,
  kInvalidAddress,
  kAddressPoolExhausted,
  kAddressInUse,
  kBridgeFull,
  kQuotaExceeded,
  kLeaseConflict,
  kTapNotFound,
  kPermissionDenied,
  kSubnetConflict,
  kNotABridge,
  kInvalidRequest,
  kUnsupported,
  kNetworkNotFound,
  kStaleGeneration,
  kSpecLost,
  kTapAttached,
};

// "TAP_NOT_FOUND": the name in the contract.
absl::string_view ReasonName(Reason reason);

// What the TypeScript NetworkManager called it ("ancestor_code" in the contract); empty where it
// had no name for it, or the same one.
absl::string_view AncestorCode(Reason reason);

// An error with that reason and the canonical code that goes with it. The message
// says what was refused, why, and what would help.
absl::Status Error(Reason reason, absl::string_view message);

// `cause` seen from one level up: "context: cause". A cause that has a reason
// keeps it (the lower level knows better); another gets `reason`.
absl::Status WithReason(Reason reason, absl::string_view context, const absl::Status& cause);

// "context: cause", everything else as it was. OK stays OK.
absl::Status WithContext(absl::string_view context, const absl::Status& cause);

std::optional<Reason> ReasonOf(const absl::Status& status);

// Marks an error that may be none in a moment, without the caller's doing.
absl::Status MakeTransient(absl::Status status);
bool IsTransient(const absl::Status& status);

}  // namespace svnet
