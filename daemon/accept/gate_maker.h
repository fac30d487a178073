// Where gates come from.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "daemon/wire/channel.h"

namespace svnet {

// Not thread-safe.
class GateMaker {
 public:
  enum class Role {
    kCalls,
    kSharedCalls,   // of several callers, who must never be taken for each other
    kRefusedCalls,  // of those who are only told why: what others do comes first
    kMetrics,
  };

  // Connections that a gate of kSharedCalls takes in its life: then there is another.
  static constexpr uint32_t kMostOfShared = 4096;

  virtual ~GateMaker() = default;

  // Has a process made that serves `end`. Does not wait for it; what is sent to the other end
  // meanwhile waits in the kernel. `number`: none comes twice.
  virtual absl::Status Make(Role role, uint64_t number, Channel end) = 0;
  // Ends that process at once. Nothing if it has ended. False: it could not be asked for now, so
  // try again; a gate that is stopped does not end by itself.
  virtual bool Kill(uint64_t number) = 0;
};

}  // namespace svnet
