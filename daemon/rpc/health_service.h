// gRPC's health checking protocol, for one caller.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <utility>

#include "absl/status/status.h"
#include "daemon/network/caller.h"
#include "daemon/rpc/health_board.h"
#include "daemon/rpc/stream_pump.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace svnet {

// Not gRPC's own (EnableDefaultHealthCheckService): that has a thread for each server, and
// no limit to how often a caller watches. Thread-safe.
class HealthService final : public grpc::health::v1::Health::WithCallbackMethod_Check<
                                grpc::health::v1::Health::WithRawCallbackMethod_Watch<
                                    grpc::health::v1::Health::Service>> {
 public:
  // `board` and `pump` must outlive it. If `verdict` is an error, it is the answer to every
  // call.
  HealthService(Caller caller, absl::Status verdict, HealthBoard* board, StreamPump* pump)
      : caller_(std::move(caller)), verdict_(std::move(verdict)), board_(board), pump_(pump) {}

  // No Watch runs.
  bool IsQuiet() const { return unanswered_ == 0; }

  // At once, and not in turn with other calls: svnetd's health shows also when those hang.
  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext* context,
                                  const grpc::health::v1::HealthCheckRequest* request,
                                  grpc::health::v1::HealthCheckResponse* response) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* Watch(grpc::CallbackServerContext* context,
                                                    const grpc::ByteBuffer* request) override;

 private:
  const Caller caller_;
  const absl::Status verdict_;
  HealthBoard* const board_;
  StreamPump* const pump_;
  std::atomic<int> unanswered_ = 0;
};

}  // namespace svnet
