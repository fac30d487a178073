// Statuses as gRPC has them.
#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "daemon/wire/message.h"

namespace svnet {

// What svnetd decided.
grpc::Status ToGrpc(const WireStatus& status);
// What the gate decides itself, in the same form: a google.rpc.Status in the details.
grpc::Status ToGrpc(const absl::Status& status);

}  // namespace svnet
