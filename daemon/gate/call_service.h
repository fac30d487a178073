// The contract's service, and gRPC's for health, as a gate has them.
#pragma once

#include <grpcpp/grpcpp.h>

#include "daemon/gate/call_starter.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "svnet/v1/network.grpc.pb.h"

namespace svnet {

// Every method raw: what a request says is svnetd's to find out, and gRPC would answer one
// that does not parse with an INTERNAL of its own, without a reason.
using RawNetworkService = v1::NetworkService::WithRawCallbackMethod_CreateTap<
    v1::NetworkService::WithRawCallbackMethod_RemoveTap<
        v1::NetworkService::WithRawCallbackMethod_GetBootArgs<
            v1::NetworkService::WithRawCallbackMethod_Cleanup<
                v1::NetworkService::WithRawCallbackMethod_ListTaps<
                    v1::NetworkService::WithRawCallbackMethod_GetNetwork<
                        v1::NetworkService::WithRawCallbackMethod_WatchTaps<
                            v1::NetworkService::WithRawCallbackMethod_GetMetrics<
                                v1::NetworkService::WithRawCallbackMethod_GetTap<
                                    v1::NetworkService::WithRawCallbackMethod_UpdateTap<
                                        v1::NetworkService::WithRawCallbackMethod_ListNetworks<
                                            v1::NetworkService::WithRawCallbackMethod_CreateTaps<
                                                v1::NetworkService::Service>>>>>>>>>>>>;
using RawHealthService = grpc::health::v1::Health::WithRawCallbackMethod_Check<
    grpc::health::v1::Health::WithRawCallbackMethod_Watch<grpc::health::v1::Health::Service>>;

// svnet.v1.NetworkService. Thread-safe.
class CallService final : public RawNetworkService {
 public:
  using Context = grpc::CallbackServerContext;
  using Bytes = grpc::ByteBuffer;
  using Unary = grpc::ServerUnaryReactor;

  // Must outlive it.
  explicit CallService(const CallStarter* calls) : calls_(calls) {}

  Unary* CreateTap(Context* context, const Bytes* request, Bytes* response) override {
    return calls_->Call(context, Method::kCreateTap, request, response);
  }
  Unary* CreateTaps(Context* context, const Bytes* request, Bytes* response) override {
    return calls_->CreateTaps(context, request, response);
  }
  Unary* RemoveTap(Context* context, const Bytes* request, Bytes* response) override {
    return calls_->Call(context, Method::kRemoveTap, request, response);
  }
  Unary* GetBootArgs(Context* context, const Bytes* request, Bytes* response) override {
    return calls_->Call(context, Method::kGetBootArgs, request, response);
  }
  Unary* Cleanup(Context* context, const Bytes* request, Bytes* response) override {
    return calls_->Call(context, Method::kCleanup, request, response);
  }
  Unary* ListTaps(Context* context, const Bytes* request, Bytes* response) override {
    return calls_->Call(context, Method::kListTaps, request, response);
  }
  Unary* GetNetwork(Context* context, const Bytes* request, Bytes* response) override {
    return calls_->Call(context, Method::kGetNetwork, request, response);
  }
  Unary* GetMetrics(Context* context, const Bytes* request, Bytes* response) override {
    return calls_->Call(context, Method::kGetMetrics, request, response);
  }
  Unary* GetTap(Context* context, const Bytes* request, Bytes* response) override {
    return calls_->Call(context, Method::kGetTap, request, response);
  }
  Unary* UpdateTap(Context* context, const Bytes* request, Bytes* response) override {
    return calls_->Call(context, Method::kUpdateTap, request, response);
  }
  Unary* ListNetworks(Context* context, const Bytes* request, Bytes* response) override {
    return calls_->Call(context, Method::kListNetworks, request, response);
  }
  grpc::ServerWriteReactor<Bytes>* WatchTaps(Context* context, const Bytes* request) override {
    return calls_->Watch(context, Method::kWatchTaps, request);
  }

 private:
  const CallStarter* const calls_;
};

// grpc.health.v1.Health.
//
// Not gRPC's own (EnableDefaultHealthCheckService): that knows a gate's health, which is
// nobody's question. Thread-safe.
class HealthCallService final : public RawHealthService {
 public:
  // Must outlive it.
  explicit HealthCallService(const CallStarter* calls) : calls_(calls) {}

  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext* context,
                                  const grpc::ByteBuffer* request,
                                  grpc::ByteBuffer* response) override {
    return calls_->Call(context, Method::kHealthCheck, request, response);
  }
  grpc::ServerWriteReactor<grpc::ByteBuffer>* Watch(grpc::CallbackServerContext* context,
                                                    const grpc::ByteBuffer* request) override {
    return calls_->Watch(context, Method::kHealthWatch, request);
  }

 private:
  const CallStarter* const calls_;
};

}  // namespace svnet
