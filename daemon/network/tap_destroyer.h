// Destroys TAPs, which takes the kernel long.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "daemon/kernel/kernel.h"
#include "daemon/network/retired_tap.h"

namespace svnet {

// Knows no lease, so that it can be used while calls go on; but only by one thread at a time.
class TapDestroyer {
 public:
  // `group`: the link group of the network's TAPs. `reaper` must outlive it.
  TapDestroyer(uint32_t group, Reaper* reaper) : group_(group), reaper_(*reaper) {}

  struct Result {
    absl::Status destroyed;
    absl::Status flows_forgotten;
  };
  // Destroys those TAPs, and ends the flows of their addresses. `is_retired` says of any other
  // that is retired meanwhile that it may be destroyed, too.
  Result Destroy(const ReapBatch& batch, const std::function<bool(Ifindex)>& is_retired);

  // Destroys TAPs whatever group they are in.
  absl::Status DestroyAll(const std::vector<Link>& taps);

 private:
  // A link that is not ours may be in the group: then each is destroyed by itself.
  absl::Status DestroyGroup(uint32_t group, const std::set<Ifindex>& taps,
                            const std::function<bool(Ifindex)>& is_retired);

  const uint32_t group_;
  Reaper& reaper_;
};

}  // namespace svnet
