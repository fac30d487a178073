// What a gate is told, until it takes it.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "daemon/base/unique_fd.h"
#include "daemon/wire/channel.h"
#include "daemon/wire/message.h"

namespace svnet {

// In order, and without waiting: what the gate does not take is kept here. Not thread-safe.
class GateOutbox {
 public:
  // `channel` must outlive it.
  explicit GateOutbox(const Channel* channel);

  // Both send as much as the gate takes. An error: it is not there any more. `body` goes in parts.
  absl::Status Send(Message message, absl::string_view body, UniqueFd descriptor);
  absl::Status Flush();

  // Whoever connects faster than the gate takes connections shall not fill svnetd with those that
  // have ended.
  void Forget(uint64_t connection);

  // The gate has taken all of it.
  bool empty() const { return messages_.empty(); }
  // Not all of it has been read, as far as it was taken.
  bool HasUnread() const;
  // When it last took something that had waited, or something came that waits.
  absl::Time last_taken() const { return last_taken_; }

 private:
  struct Outgoing {
    std::string packet;
    UniqueFd descriptor;
    uint64_t connection;  // that it hands over; 0: it is something else
  };

  const Channel* const channel_;
  std::deque<Outgoing> messages_;
  absl::Time last_taken_;
};

}  // namespace svnet
