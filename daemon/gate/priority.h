// How a gate gives way to other processes.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/unique_fd.h"

namespace svnet {

inline constexpr int kLowestNice = 19;

// Whether a gate uses more processor time than its calls explain. Not thread-safe. Pure: time
// is told.
class CpuBudget {
 public:
  struct Use {
    absl::Time now;
    absl::Duration cpu;     // of the process, in all
    uint64_t messages = 0;  // that svnetd has sent, in all
  };
  explicit CpuBudget(const Use& start) : last_(start) {}

  // Whether it has used kBurst more than it may.
  bool IsOverdrawn(const Use& use);

  // Each message of svnetd's is an answer, an event or a connection, and explains that much. A
  // call takes a gate 0.05 to 0.15 ms.
  static constexpr absl::Duration kOfMessage = absl::Microseconds(500);
  // One second in five is free: a client that does nothing special does not come near.
  static constexpr double kFreeShare = 0.2;
  static constexpr absl::Duration kBurst = absl::Milliseconds(100);

 private:
  Use last_;
  absl::Duration owed_;
};

// A gate that is flooded with what is not a call takes the lowest priority (nice 19): it then has
// processor time only where no other process wants it. The gate sees to that itself, because
// it alone knows its calls; one that its caller has taken over can avoid it, and is then a busy
// process like any that the caller could start.
//
// It keeps that priority until it ends, which is 30 s after its caller's last connection. To
// raise a priority takes a privilege (RLIMIT_NICE) that a root without CAP_SYS_RESOURCE could
// not give to gates, and a caller that flooded once may well do so again.
//
// Not thread-safe.
class Priority {
 public:
  // Call it while the process has one thread, before it is confined. The process becomes a group
  // of its own.
  static absl::StatusOr<Priority> Start();

  // Readable when the process has used some more processor time: then call Update.
  int fd() const { return ticks_.get(); }
  // `messages`: that svnetd has sent, in all.
  void Update(uint64_t messages);

 private:
  explicit Priority(UniqueFd ticks);

  UniqueFd ticks_;  // signals: one for each kTick of processor time
  CpuBudget budget_;
  bool is_lowered_ = false;
};

}  // namespace svnet
