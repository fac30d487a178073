#include "daemon/accept/gate_parent_link.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "daemon/base/fault_point.h"
#include "daemon/base/status_macros.h"
#include "daemon/wire/gate_request.h"

namespace svnet {
namespace {

// The least that there is.
constexpr uint8_t kNiceOfRefused = 19;

std::string BytesOf(const GateRequest& request) {
  return std::string(reinterpret_cast<const char*>(&request), sizeof(request));
}

}  // namespace

absl::Status GateParentLink::Make(Role role, uint64_t number, Channel end) {
  SVNET_RETURN_IF_ERROR(FaultPoint("gate.make"));
  GateRequest request = {.kind = GateRequest::Kind::kMakeForCalls, .number = number};
  if (role == Role::kMetrics) request.kind = GateRequest::Kind::kMakeForMetrics;
  request.is_shared = role == Role::kSharedCalls;
  if (role == Role::kRefusedCalls) request.nice = kNiceOfRefused;
  const absl::Status status = parent_.Send(BytesOf(request), end.fd());
  if (status.ok()) return status;
  return absl::UnavailableError(
      absl::StrCat("the parent of the gates makes none: ", status.message()));
}

bool GateParentLink::Kill(uint64_t number) {
  const GateRequest request = {.kind = GateRequest::Kind::kKill, .number = number};
  // Full. Any other error: the parent has ended, and all gates with it.
  return !absl::IsUnavailable(parent_.Send(BytesOf(request)));
}

}  // namespace svnet
