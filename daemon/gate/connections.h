// The connections that a gate serves.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "daemon/base/mutex.h"
#include "daemon/wire/message.h"

namespace svnet {

// Tells by which of svnetd's connections a call came. Thread-safe.
//
// gRPC names a connection by its descriptor ("fd:7"), for as long as a call of it lives: it
// closes the descriptor when the last of them is gone (~grpc_chttp2_transport), so that no
// other connection has that name before.
class Connections {
 public:
  struct Connection {
    uint64_t number = 0;  // svnetd's
    WireStatus status;    // not OK: the answer to each of its calls
  };

  // `fd`: that gRPC is about to be given. Replaces what had that name before.
  void Add(int fd, Connection connection);
  // `peer`: ServerContext::peer(). nullptr if there is none of that name.
  std::shared_ptr<const Connection> Find(const std::string& peer) const;

 private:
  mutable Mutex mutex_;
  std::map<std::string, std::shared_ptr<const Connection>> by_peer_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace svnet
