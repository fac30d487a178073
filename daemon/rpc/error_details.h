// Errors as they go over the wire.
#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace svnet {

// The canonical code and the message, and in the details a google.rpc.Status with a
// google.rpc.ErrorInfo (domain "svnet"). An error without a reason is the kernel's
// doing that no layer explained: BRIDGE_SETUP_FAILED, as the ancestor called those.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace svnet
