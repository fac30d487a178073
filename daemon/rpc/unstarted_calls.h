// The rpcs of one caller while the network has not started.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/metrics/metrics.h"
#include "daemon/network/caller.h"
#include "daemon/rpc/status_board.h"
#include "daemon/segment/network_settings.h"
#include "daemon/wire/message.h"
#include "svnet/v1/network.pb.h"

namespace svnet {

// What a network has that could not be started yet.
struct Unstarted {
  NetworkSettings settings;
  absl::Status why;  // of the last attempt
};

// GetNetwork, ListNetworks and GetMetrics say how things are. All other calls fail with the reason
// why the network has not started. Thread-safe.
class UnstartedCalls {
 public:
  // All must outlive it.
  UnstartedCalls(const Caller& caller, const Unstarted* network, const StatusBoard* board,
                 Metrics* metrics)
      : caller_(caller), network_(network), board_(board), metrics_(metrics) {}

  // The response's bytes.
  absl::StatusOr<std::string> Answer(Method method) const;
  // UNAVAILABLE, unless the attempt to start has failed for a reason of the contract.
  absl::Status Refuse() const;

 private:
  v1::GetNetworkResponse Describe() const;
  absl::StatusOr<std::string> GetMetrics() const;

  const Caller caller_;
  const Unstarted* const network_;
  const StatusBoard* const board_;
  Metrics* const metrics_;
};

}  // namespace svnet
