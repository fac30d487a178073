// The gRPC service of one caller.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/network/caller.h"
#include "daemon/rpc/call_log.h"
#include "daemon/rpc/call_queue.h"
#include "daemon/rpc/network_calls.h"
#include "daemon/rpc/stream_pump.h"
#include "svnet/v1/network.grpc.pb.h"

namespace svnet {

// Every method raw: gRPC would answer a request that does not parse with an INTERNAL
// of its own, without a reason.
using RawNetworkService = v1::NetworkService::WithRawCallbackMethod_CreateTap<
    v1::NetworkService::WithRawCallbackMethod_RemoveTap<
        v1::NetworkService::WithRawCallbackMethod_GetBootArgs<
            v1::NetworkService::WithRawCallbackMethod_Cleanup<
                v1::NetworkService::WithRawCallbackMethod_ListTaps<
                    v1::NetworkService::WithRawCallbackMethod_GetNetwork<
                        v1::NetworkService::WithRawCallbackMethod_WatchTaps<
                            v1::NetworkService::WithRawCallbackMethod_GetMetrics<
                                v1::NetworkService::Service>>>>>>>>;

// Made with the caller's identity: no handler ever looks it up. Logs one line for
// each call, and counts it. Thread-safe.
class NetworkService final : public RawNetworkService {
 public:
  // `manager`, `metrics`, `queue`, where calls wait for their turn, and `pump`, which moves
  // streams, and `log` must outlive it. If `verdict` is an error, it is the answer to every
  // call.
  NetworkService(const Caller& caller, const absl::Status& verdict, NetworkManager* manager,
                 Metrics* metrics, CallQueue* queue, StreamPump* pump, LimitedLog* log)
      : calls_(caller, manager, metrics),
        log_(caller, verdict, log),
        verdict_(verdict),
        metrics_(&metrics->calls()),
        queue_(queue),
        pump_(pump) {}

  // What the caller may has changed, and its connections are being ended: from now on no call
  // begins, also none that waits for its turn.
  void Revoke() { revoked_ = true; }

  // No call of it is accepted and not yet answered.
  bool IsQuiet() const { return unanswered_ == 0; }

  grpc::ServerUnaryReactor* CreateTap(grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* RemoveTap(grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetBootArgs(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* Cleanup(grpc::CallbackServerContext* context,
                                    const grpc::ByteBuffer* request,
                                    grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListTaps(grpc::CallbackServerContext* context,
                                     const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetNetwork(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchTaps(grpc::CallbackServerContext* context,
                                                        const grpc::ByteBuffer* request) override;
  grpc::ServerUnaryReactor* GetMetrics(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override;

 private:
  template <typename Request, typename Response>
  using Method = absl::StatusOr<Response> (NetworkCalls::*)(const Request&, LogLine*);

  // Whatever becomes of it, has a call answered: at once, or in its turn.
  template <typename Request, typename Response>
  grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context,
                                   Method<Request, Response> method, absl::string_view name,
                                   const grpc::ByteBuffer* request, grpc::ByteBuffer* response);
  // Parses, calls, logs, and puts the answer into `response`. nullopt: it cannot go on yet,
  // and may be run again later, unless it `must_end`.
  template <typename Request, typename Response>
  std::optional<absl::Status> Run(Method<Request, Response> method, absl::string_view name,
                                  const grpc::ByteBuffer& request, bool must_end,
                                  grpc::ByteBuffer* response);
  // The verdict, or that the request is too large, or that there are no calls any more.
  absl::Status Check(const grpc::ByteBuffer& request) const;

  NetworkCalls calls_;
  CallLog log_;
  const absl::Status verdict_;
  CallMetrics* const metrics_;
  CallQueue* const queue_;
  StreamPump* const pump_;
  std::atomic<int> unanswered_ = 0;
  std::atomic<bool> revoked_ = false;
};

}  // namespace svnet
