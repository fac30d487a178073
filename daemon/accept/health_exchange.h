// One call of grpc.health.v1.Health/Check, in bytes of HTTP/2. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace svnet {

// The client's end of a connection with that one call (RFC 9113). It understands no more than
// it must to know that the call was answered: no header field is decoded, and the answer is one
// of two messages. All that it takes is bounded, since the other end speaks with whoever calls.
class HealthExchange {
 public:
  // What the client sends, whatever the server says: preface, settings, and the whole call.
  static std::string Request();

  // Takes what has come from the server; what must be sent in turn, perhaps nothing. An error if
  // the call can no longer be answered. Of what comes behind the answer nothing is read.
  absl::StatusOr<std::string> Take(absl::string_view bytes);

  // Whether a HealthCheckResponse has come: SERVING or NOT_SERVING, which are both an answer.
  bool is_answered() const { return is_answered_; }

 private:
  struct Frame {
    uint8_t type;
    uint8_t flags;
    uint32_t stream;
    absl::string_view payload;
  };

  // What must be sent in turn.
  absl::StatusOr<std::string> TakeFrame(const Frame& frame);
  absl::Status TakeData(const Frame& frame);

  std::string received_;  // the start of a frame
  size_t total_ = 0;      // bytes that have come
  std::string message_;   // of the call, with its prefix
  bool is_answered_ = false;
};

}  // namespace svnet
