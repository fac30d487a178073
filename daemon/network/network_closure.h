// Whether a network has gone from the configuration, and what that means for it.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "daemon/base/condition.h"
#include "daemon/base/network_name.h"
#include "daemon/segment/network_settings.h"

namespace svnet {

// Such a network is closed: it keeps the leases that it has, takes no others, and when it has none
// it leaves the host. Not thread-safe.
class NetworkClosure {
 public:
  explicit NetworkClosure(const NetworkSettings& settings)
      : name_(settings.name), closed_(settings.closed) {}

  void Set(bool closed);

  // NETWORK_NOT_FOUND if it is closed.
  absl::Status CheckOpen() const;
  // Whether it is to leave, once it has no leases.
  bool IsToLeave() const { return closed_ && !has_left_; }
  void NoteLeft() { has_left_ = true; }

  // Appends NETWORK_GONE if it is closed. `leases`: how many it has.
  void AddConditions(size_t leases, std::vector<Condition>* conditions) const;

 private:
  const NetworkName name_;
  bool closed_;
  bool has_left_ = false;
};

}  // namespace svnet
