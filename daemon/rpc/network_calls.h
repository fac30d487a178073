// The rpcs of one caller, without gRPC: check, convert, call, convert.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/base/network_name.h"
#include "daemon/log/log_fields.h"
#include "daemon/metrics/metrics.h"
#include "daemon/network/caller.h"
#include "daemon/network/network_api.h"
#include "daemon/rpc/status_board.h"
#include "svnet/v1/network.pb.h"

namespace svnet {

// PERMISSION_DENIED unless the caller is an administrator.
absl::Status CheckMayReadMetrics(const Caller& caller);

// Thread-safe. Each call adds to `log` what its line in the log should say of the
// request and of the effect; text of the caller's is escaped.
class NetworkCalls {
 public:
  // All must outlive it.
  NetworkCalls(const Caller& caller, NetworkApi* api, Metrics* metrics, const StatusBoard* board)
      : caller_(caller), api_(api), metrics_(metrics), board_(board) {}

  absl::StatusOr<v1::CreateTapResponse> CreateTap(const v1::CreateTapRequest& request,
                                                  LogLine* log);
  absl::StatusOr<v1::RemoveTapResponse> RemoveTap(const v1::RemoveTapRequest& request,
                                                  LogLine* log);
  // At most `most` more queues: see NetworkApi::OpenQueues.
  absl::Status OpenTap(const v1::OpenTapRequest& request, size_t most, OpenedTap* opened,
                       LogLine* log);
  absl::StatusOr<v1::GetBootArgsResponse> GetBootArgs(const v1::GetBootArgsRequest& request,
                                                      LogLine* log);
  // A Cleanup is several calls of GoOn.
  absl::StatusOr<std::unique_ptr<Cleanup>> BeginCleanup(const v1::CleanupRequest& request) const;
  static absl::StatusOr<v1::CleanupResponse> EndCleanup(const Cleanup& cleanup,
                                                        const absl::StatusOr<CleanupResult>& result,
                                                        LogLine* log);
  absl::StatusOr<v1::ListTapsResponse> ListTaps(const v1::ListTapsRequest& request, LogLine* log);
  absl::StatusOr<v1::GetNetworkResponse> GetNetwork(const v1::GetNetworkRequest& request,
                                                    LogLine* log);
  absl::StatusOr<v1::ListNetworksResponse> ListNetworks(const v1::ListNetworksRequest& request,
                                                        LogLine* log);
  absl::StatusOr<v1::GetTapResponse> GetTap(const v1::GetTapRequest& request, LogLine* log);
  absl::StatusOr<v1::UpdateTapResponse> UpdateTap(const v1::UpdateTapRequest& request,
                                                  LogLine* log);
  absl::StatusOr<v1::GetMetricsResponse> GetMetrics(const v1::GetMetricsRequest& request,
                                                    LogLine* log);

  // See NetworkApi::WatchTaps.
  absl::StatusOr<std::shared_ptr<Watch>> WatchTaps(const v1::WatchTapsRequest& request,
                                                   std::function<void()> wake);

  // As NetworkApi::Measure, with the conditions of svnetd itself.
  static MeasuresOfNetworks Measure(NetworkApi& api, const StatusBoard& board);

  const Caller& caller() const { return caller_; }

 private:
  absl::StatusOr<v1::GetNetworkResponse> Describe(const NetworkName& network);

  const Caller caller_;
  NetworkApi* const api_;
  Metrics* const metrics_;
  const StatusBoard* const board_;
};

}  // namespace svnet
