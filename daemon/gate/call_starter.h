// Hands gRPC's calls on to svnetd.
#pragma once

#include <grpcpp/grpcpp.h>

#include "daemon/gate/connections.h"
#include "daemon/gate/core_calls.h"
#include "daemon/wire/message.h"

namespace svnet {

// What the services have in common: they know no message, only bytes. Thread-safe.
class CallStarter {
 public:
  // Both must outlive it.
  CallStarter(const Connections* connections, CoreCalls* core)
      : connections_(connections), core_(core) {}

  // A unary call, as a raw callback method has it.
  grpc::ServerUnaryReactor* Call(grpc::CallbackServerContext* context, Method method,
                                 const grpc::ByteBuffer* request, grpc::ByteBuffer* response) const;
  // Many CreateTap calls in one.
  grpc::ServerUnaryReactor* CreateTaps(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) const;
  // One whose answer is a stream.
  grpc::ServerWriteReactor<grpc::ByteBuffer>* Watch(grpc::CallbackServerContext* context,
                                                    Method method,
                                                    const grpc::ByteBuffer* request) const;

  // OK, or the answer to a call of that peer that svnetd does not hear of.
  grpc::Status MayBegin(const std::string& peer) const;

 private:
  // Fills in the rest of `request`; an error is the answer.
  grpc::Status Read(const std::string& peer, const grpc::ByteBuffer& bytes,
                    CoreCalls::Request* request) const;

  const Connections* const connections_;
  CoreCalls* const core_;
};

}  // namespace svnet
