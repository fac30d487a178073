// The gates that a parent has made.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>

#include "daemon/base/unique_fd.h"
#include "daemon/wire/gate_request.h"

namespace svnet {

// Ended ones are reaped here and nowhere else, so that the pid of a number is that gate's as
// long as the number is known. Not thread-safe: the process must have one thread.
class GateChildren {
 public:
  // `null`: a descriptor of /dev/null, for the gates' standard streams.
  explicit GateChildren(UniqueFd null);
  // Ends them.
  ~GateChildren() { KillAll(); }

  // Forks one, with that end of its socket pair. If it cannot, the end is closed, which is how
  // svnetd hears of it.
  void Make(const GateRequest& request, UniqueFd channel);
  // Nothing if it has ended.
  void Kill(uint64_t number);
  // Returns when all have ended.
  void KillAll();
  // Forgets those that have ended.
  void Reap();

 private:
  const UniqueFd null_;
  std::map<uint64_t, pid_t> pids_;  // by number
};

}  // namespace svnet
