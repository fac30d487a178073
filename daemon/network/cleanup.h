// A Cleanup that is under way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/base/ifindex.h"
#include "daemon/base/network_name.h"
#include "daemon/network/caller.h"
#include "daemon/network/network_registry.h"
#include "daemon/network/requests.h"

namespace svnet {

class NetworkMembers;

// Removes the TAPs that there are when it begins, some at a time: others' calls come between. One
// of a network then waits until they are destroyed, and takes away what is around them. May be
// given up at any time, and repeated. Not thread-safe.
class Cleanup {
 public:
  // `registry` must outlive it.
  Cleanup(NetworkRegistry* registry, const Caller& caller, const CleanupRequest& request)
      : registry_(registry), caller_(caller), request_(request) {}

  // Does a piece of it. nullopt: there is more to do.
  std::optional<absl::StatusOr<CleanupResult>> GoOn();
  // Does all that can be done without waiting; an error if that was not all.
  absl::StatusOr<CleanupResult> Finish();
  bool is_of_network() const { return request_.scope == CleanupScope::kNetwork; }
  // There is nothing more to do before TAPs were reaped.
  bool waits_for_reaping() const { return waits_for_reaping_; }

  // So many TAPs at a time: some milliseconds.
  static constexpr size_t kPiece = 64;

 private:
  struct Tap {
    NetworkName network;
    Ifindex ifindex;
  };

  absl::Status Begin(NetworkMembers& networks);
  absl::Status RetireSome(NetworkMembers& networks);
  // When its TAPs are retired: nullopt if they are not destroyed yet, or there are others.
  std::optional<absl::StatusOr<CleanupResult>> TakeAway(NetworkMembers& networks);
  absl::Status Incomplete(const absl::Status& why) const;

  NetworkRegistry* const registry_;
  const Caller caller_;
  const CleanupRequest request_;
  int rounds_ = 0;         // how often it has begun
  std::vector<Tap> left_;  // to be retired, the last one first
  CleanupResult result_;
  bool waits_for_reaping_ = false;
};

}  // namespace svnet
