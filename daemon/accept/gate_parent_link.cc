#include "daemon/accept/gate_parent_link.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "daemon/base/fault_point.h"
#include "daemon/base/status_macros.h"
#include "daemon/wire/gate_request.h"

namespace svnet {
namespace {

// Numbers of descriptors that a gate may find taken.
constexpr uint32_t kToSpare = 64;

std::string BytesOf(GateRequest::Kind kind, uint64_t number, uint32_t connections = 0) {
  const GateRequest request = {.kind = kind, .connections = connections, .number = number};
  return std::string(reinterpret_cast<const char*>(&request), sizeof(request));
}

}  // namespace

absl::Status GateParentLink::Make(Role role, uint64_t number, Channel end) {
  SVNET_RETURN_IF_ERROR(FaultPoint("gate.make"));
  const auto kind = role == Role::kMetrics ? GateRequest::Kind::kMakeForMetrics
                                           : GateRequest::Kind::kMakeForCalls;
  const uint32_t connections = role == Role::kSharedCalls ? kMostOfShared + kToSpare : 0;
  const absl::Status status = parent_.Send(BytesOf(kind, number, connections), end.fd());
  if (status.ok()) return status;
  return absl::UnavailableError(
      absl::StrCat("the parent of the gates makes none: ", status.message()));
}

void GateParentLink::Kill(uint64_t number) {
  // If its buffer is full, the gate sees that the core has closed its end, as all do.
  parent_.Send(BytesOf(GateRequest::Kind::kKill, number)).IgnoreError();
}

}  // namespace svnet
