// What svnetd asks of the parent of its gates.
#pragma once

#include <cstdint>

namespace svnet {

// A packet of its own each, in native byte order; kMake comes with a descriptor: the new
// gate's end of its socket pair. What the parent says: nothing. That a gate has ended shows
// at the other end of that pair; that the parent has ended, at the end of this socket.
struct GateRequest {
  enum class Kind : uint8_t {
    kMakeForCalls = 1,    // a gate that speaks gRPC
    kMakeForMetrics = 2,  // one that speaks HTTP, and calls kMetricsPage only
    kKill = 3,            // at once, whatever it does; nothing if it has ended
  };

  Kind kind;
  uint8_t nice = 0;        // nice(2) of what the gate does: 0 to 19
  bool is_shared = false;  // by several callers, who must never be taken for each other
  uint8_t unused[5] = {};
  uint64_t number;  // of the gate: svnetd's choice, none comes twice
};
static_assert(sizeof(GateRequest) == 16);

}  // namespace svnet
