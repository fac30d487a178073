// What connect(2) on the daemon's socket says, as a Failure.
#pragma once

#include <string>

#include "client/failure.h"

namespace svnet::client {

// What stands in the way of a caller who may not open the socket.
struct Barrier {
  enum class Membership {
    kNone,
    // The account database has it, this process does not: it was logged in before.
    kAfterLogin,
    kNow,
  };

  // The group of the socket, or of the first folder on the way to it that is
  // closed to the caller.
  std::string group;
  // That group is root's own, which nobody should join.
  bool is_roots = false;
  Membership membership = Membership::kNone;
  // The caller.
  std::string user;
};

// Reads the file system and the account database.
Barrier ObserveBarrier(const std::string& socket);

// Pure. `error` is connect(2)'s errno (unix(7)); `barrier` matters for EACCES only.
Failure ExplainConnectFailure(const std::string& socket, int error, const Barrier& barrier);

}  // namespace svnet::client
