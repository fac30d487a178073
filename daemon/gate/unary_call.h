// A call with one answer.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "daemon/gate/core_calls.h"

namespace svnet {

// Waits for svnetd's answer. Owns itself from Begin until gRPC is done with it.
class UnaryCall final : public grpc::ServerUnaryReactor,
                        public CallListener,
                        public std::enable_shared_from_this<UnaryCall> {
 public:
  // `core` must outlive it. `response`: gRPC's, until it is finished.
  UnaryCall(CoreCalls* core, grpc::ByteBuffer* response) : core_(core), response_(response) {}

  // Once. An error: it has not begun, and is not its own.
  grpc::Status Begin(CoreCalls::Request request);

  void OnEnd(const WireStatus& status, std::string body) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  CoreCalls* const core_;
  grpc::ByteBuffer* const response_;
  std::shared_ptr<UnaryCall> self_;
};

}  // namespace svnet
