// Errors as callers get them.
#pragma once

#include "absl/status/status.h"
#include "daemon/wire/message.h"
#include "google/rpc/status.pb.h"

namespace svnet {

// A gRPC status, whose details are a google.rpc.Status with the reason, and with what the
// TypeScript NetworkManager called it. An error without a reason is BRIDGE_SETUP_FAILED; but
// UNAVAILABLE, CANCELLED and NOT_FOUND have no details then.
WireStatus ToWireStatus(const absl::Status& status);

// The same as a message; of OK, too.
google::rpc::Status ToProtoStatus(const absl::Status& status);

}  // namespace svnet
