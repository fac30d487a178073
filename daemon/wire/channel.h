// One end of a socket pair that carries whole packets, and descriptors with them.
#pragma once

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "daemon/base/unique_fd.h"

namespace svnet {

// Not thread-safe but for Send, which several threads may call at a time.
class Channel {
 public:
  explicit Channel(UniqueFd fd) : fd_(std::move(fd)) {}

  // Two ends, SOCK_SEQPACKET, closed on exec.
  static absl::StatusOr<std::pair<Channel, Channel>> Pair();

  // UNAVAILABLE: the other end's buffer is full, try again when it is writable (never, if
  // `wait`). ABORTED: the other end is gone. `descriptor` (-1: none) is only lent.
  absl::Status Send(const std::string& packet, int descriptor = -1, bool wait = false) const;

  struct Packet {
    std::string bytes;  // never empty
    UniqueFd descriptor;
  };
  // `most`: bytes; a packet that is longer is an error (OUT_OF_RANGE). `with_descriptor`: takes
  // one that comes with it; without, the kernel drops what comes. UNAVAILABLE: none is there
  // yet (never, if `wait`). ABORTED: the other end has closed.
  absl::StatusOr<Packet> Receive(size_t most, bool with_descriptor, bool wait = false) const;

  int fd() const { return fd_.get(); }
  UniqueFd Release() && { return std::move(fd_); }

 private:
  UniqueFd fd_;
};

}  // namespace svnet
