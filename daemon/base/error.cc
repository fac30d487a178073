#include "daemon/base/error.h"

#include <array>
#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

namespace svnet {
namespace {

constexpr absl::string_view kPayloadType = "svnet/reason";
constexpr absl::string_view kTransientType = "svnet/transient";

struct ReasonFacts {
  Reason reason;
  absl::string_view name;
  absl::StatusCode code;
  absl::string_view ancestor_code;
};

// In the order of the enum.
constexpr std::array kReasons = {
    ReasonFacts{Reason::kBridgeSetupFailed, "BRIDGE_SETUP_FAILED", absl::StatusCode::kInternal, ""},
    ReasonFacts{Reason::kTapCreateFailed, "TAP_CREATE_FAILED", absl::StatusCode::kInternal, ""},
    ReasonFacts{Reason::kInvalidId, "INVALID_ID", absl::StatusCode::kInvalidArgument, ""},
    ReasonFacts{Reason::kInvalidAddress, "INVALID_ADDRESS", absl::StatusCode::kInvalidArgument, ""},
    ReasonFacts{Reason::kAddressPoolExhausted, "ADDRESS_POOL_EXHAUSTED",
                absl::StatusCode::kResourceExhausted, ""},
    ReasonFacts{Reason::kAddressInUse, "ADDRESS_IN_USE", absl::StatusCode::kAlreadyExists, ""},
    ReasonFacts{Reason::kBridgeFull, "BRIDGE_FULL", absl::StatusCode::kResourceExhausted, ""},
    ReasonFacts{Reason::kQuotaExceeded, "QUOTA_EXCEEDED", absl::StatusCode::kResourceExhausted, ""},
    ReasonFacts{Reason::kLeaseConflict, "LEASE_CONFLICT", absl::StatusCode::kAlreadyExists, ""},
    ReasonFacts{Reason::kTapNotFound, "TAP_NOT_FOUND", absl::StatusCode::kNotFound, ""},
    ReasonFacts{Reason::kPermissionDenied, "PERMISSION_DENIED", absl::StatusCode::kPermissionDenied,
                ""},
    ReasonFacts{Reason::kSubnetConflict, "SUBNET_CONFLICT", absl::StatusCode::kFailedPrecondition,
                "BRIDGE_SETUP_FAILED"},
    ReasonFacts{Reason::kNotABridge, "NOT_A_BRIDGE", absl::StatusCode::kFailedPrecondition,
                "BRIDGE_SETUP_FAILED"},
    ReasonFacts{Reason::kInvalidRequest, "INVALID_REQUEST", absl::StatusCode::kInvalidArgument, ""},
    ReasonFacts{Reason::kUnsupported, "UNSUPPORTED", absl::StatusCode::kUnimplemented, ""},
    ReasonFacts{Reason::kNetworkNotFound, "NETWORK_NOT_FOUND", absl::StatusCode::kNotFound, ""},
    ReasonFacts{Reason::kStaleGeneration, "STALE_GENERATION", absl::StatusCode::kAborted, ""},
    ReasonFacts{Reason::kSpecLost, "SPEC_LOST", absl::StatusCode::kFailedPrecondition, ""},
    ReasonFacts{Reason::kTapAttached, "TAP_ATTACHED", absl::StatusCode::kFailedPrecondition, ""},
};

const ReasonFacts& FactsOf(Reason reason) { return kReasons[static_cast<size_t>(reason)]; }

}  // namespace

absl::string_view ReasonName(Reason reason) { return FactsOf(reason).name; }

absl::string_view AncestorCode(Reason reason) { return FactsOf(reason).ancestor_code; }

absl::Status Error(Reason reason, absl::string_view message) {
  absl::Status status(FactsOf(reason).code, message);
  status.SetPayload(kPayloadType, absl::Cord(ReasonName(reason)));
  return status;
}

absl::Status WithReason(Reason reason, absl::string_view context, const absl::Status& cause) {
  return Error(ReasonOf(cause).value_or(reason), absl::StrCat(context, ": ", cause.message()));
}

absl::Status WithContext(absl::string_view context, const absl::Status& cause) {
  if (cause.ok()) return cause;
  absl::Status status(cause.code(), absl::StrCat(context, ": ", cause.message()));
  cause.ForEachPayload(
      [&](absl::string_view type, const absl::Cord& payload) { status.SetPayload(type, payload); });
  return status;
}

std::optional<Reason> ReasonOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kPayloadType);
  if (!payload.has_value()) return std::nullopt;
  for (const ReasonFacts& facts : kReasons) {
    if (*payload == facts.name) return facts.reason;
  }
  return std::nullopt;
}

absl::Status MakeTransient(absl::Status status) {
  status.SetPayload(kTransientType, absl::Cord());
  return status;
}

bool IsTransient(const absl::Status& status) {
  return status.GetPayload(kTransientType).has_value();
}

}  // namespace svnet
