// Turns the gRPC status of a failed call into a Failure.
#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "absl/time/time.h"
#include "client/failure.h"

namespace svnet::client {

// The call's circumstances, for the message.
struct CallContext {
  std::string socket;
  absl::Duration timeout;
};

// `status` must not be OK. One with an ErrorInfo of the domain "svnet" is the
// daemon's own answer (kRefused). Without one, UNAVAILABLE means that the
// connection broke (kNoDaemon), and anything else is kRefused.
Failure ExplainRpcFailure(const grpc::Status& status, const CallContext& context);

}  // namespace svnet::client
