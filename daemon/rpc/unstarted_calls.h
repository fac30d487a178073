// The rpcs of one caller while the networks have not started.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/metrics/metrics.h"
#include "daemon/network/caller.h"
#include "daemon/network/network_status.h"
#include "daemon/rpc/status_board.h"
#include "daemon/segment/network_settings.h"
#include "daemon/wire/message.h"
#include "svnet/v1/network.pb.h"

namespace svnet {

// Networks that could not be started yet.
struct Unstarted {
  std::vector<NetworkSettings> networks;
  absl::Status why;  // of the last attempt
};

// None of them can be read.
MeasuresOfNetworks MeasuresOf(const Unstarted& unstarted);

// GetNetwork, ListNetworks and GetMetrics say how things are. All other calls fail with the reason
// why the networks have not started. Thread-safe.
class UnstartedCalls {
 public:
  // All must outlive it.
  UnstartedCalls(const Caller& caller, const Unstarted* unstarted, const StatusBoard* board,
                 Metrics* metrics)
      : caller_(caller), unstarted_(unstarted), board_(board), metrics_(metrics) {}

  // Takes the request's bytes, and returns the response's.
  absl::StatusOr<std::string> Answer(Method method, const std::string& request) const;
  // UNAVAILABLE, unless the attempt to start has failed for a reason of the contract.
  absl::Status Refuse() const;

 private:
  absl::StatusOr<std::string> GetNetwork(const std::string& bytes) const;
  v1::GetNetworkResponse Describe(const NetworkSettings& network) const;
  absl::StatusOr<std::string> GetMetrics() const;

  const Caller caller_;
  const Unstarted* const unstarted_;
  const StatusBoard* const board_;
  Metrics* const metrics_;
};

}  // namespace svnet
