// Turns an error of connect(2) on the daemon's socket into a Failure.
#pragma once

#include <string>

#include "client/failure.h"

namespace svnet::client {

// Why a caller may not open the socket.
struct Barrier {
  enum class Membership {
    kNone,
    // The account database has the caller in the group, but this session started before that.
    kAfterLogin,
    kNow,
  };

  // The group of the socket, or of the first folder on the way to it that is
  // closed to the caller.
  std::string group;
  // The group is root's own: callers should not join it.
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
