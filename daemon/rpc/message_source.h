// Where the messages of a stream come from.
#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <optional>

#include "absl/status/statusor.h"

namespace svnet {

// Thread-safe.
class MessageSource {
 public:
  virtual ~MessageSource() = default;

  // The next message; or why there will be none any more; nullopt: not yet, and what was
  // to wake the stream will.
  virtual std::optional<absl::StatusOr<grpc::ByteBuffer>> Take() = 0;

  // The stream takes no more.
  virtual void Close() = 0;
};

template <typename Message>
grpc::ByteBuffer ToBytes(const Message& message) {
  grpc::ByteBuffer bytes;
  bool own_buffer = false;
  grpc::SerializationTraits<Message>::Serialize(message, &bytes, &own_buffer);
  return bytes;
}

}  // namespace svnet
