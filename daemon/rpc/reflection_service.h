// gRPC's server reflection, for one caller.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <utility>

#include "absl/status/status.h"
#include "daemon/base/quota.h"
#include "daemon/network/caller.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"

namespace svnet {

// What each version's service needs. Thread-safe.
class ReflectionStreams {
 public:
  using Reactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;

  // `quota` must outlive it. If `verdict` is an error, it is the answer to every call.
  ReflectionStreams(Caller caller, absl::Status verdict, Quota* quota)
      : caller_(std::move(caller)), verdict_(std::move(verdict)), quota_(quota) {}

  // No stream runs.
  bool IsQuiet() const { return open_ == 0; }
  Reactor* Begin();

 private:
  const Caller caller_;
  const absl::Status verdict_;
  Quota* const quota_;
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

  ReflectionStreams::Reactor* ServerReflectionInfo(
      grpc::CallbackServerContext* /*context*/) override {
    return streams_->Begin();
  }

 private:
  ReflectionStreams* const streams_;
};

using ReflectionServiceV1 = ReflectionService<grpc::reflection::v1::ServerReflection>;
using ReflectionServiceV1Alpha = ReflectionService<grpc::reflection::v1alpha::ServerReflection>;

}  // namespace svnet
