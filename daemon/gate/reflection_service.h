// gRPC's server reflection, answered without svnetd.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <functional>
#include <utility>

#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"

namespace svnet {

// What each version's service needs. Thread-safe.
class ReflectionStreams {
 public:
  using Reactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;
  // Whether a call that `peer` (as gRPC names it) begins is served; an error is its answer.
  using Verdict = std::function<grpc::Status(const std::string& peer)>;

  // `verdict` must be thread-safe.
  explicit ReflectionStreams(Verdict verdict) : verdict_(std::move(verdict)) {}

  // No stream runs.
  bool IsQuiet() const { return open_ == 0; }
  Reactor* Begin(const std::string& peer);

 private:
  const Verdict verdict_;
  std::atomic<int> open_ = 0;
};

// The versions' messages are the same on the wire, so both are taken as bytes.
//
// Not gRPC's own (libgrpc++_reflection): that is synchronous, so each stream holds a
// thread for as long as its caller likes.
template <typename Version>
class ReflectionService final : public Version::template WithRawCallbackMethod_ServerReflectionInfo<
                                    typename Version::Service> {
 public:
  // Must outlive it.
  explicit ReflectionService(ReflectionStreams* streams) : streams_(streams) {}

  ReflectionStreams::Reactor* ServerReflectionInfo(grpc::CallbackServerContext* context) override {
    return streams_->Begin(context->peer());
  }

 private:
  ReflectionStreams* const streams_;
};

using ReflectionServiceV1 = ReflectionService<grpc::reflection::v1::ServerReflection>;
using ReflectionServiceV1Alpha = ReflectionService<grpc::reflection::v1alpha::ServerReflection>;

}  // namespace svnet
