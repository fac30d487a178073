// Where the messages of a stream come from.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace svnet {

// Thread-safe.
class MessageSource {
 public:
  virtual ~MessageSource() = default;

  // The next message's bytes; or why there will be none any more; nullopt: not yet, and what
  // was to wake the stream will.
  virtual std::optional<absl::StatusOr<std::string>> Take() = 0;

  // The stream takes no more.
  virtual void Close() = 0;
};

}  // namespace svnet
