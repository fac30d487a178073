// Which leases end by themselves, and when.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "daemon/lease/lease.h"

namespace svnet {

// Of each lease that does not live until it is removed: what it waits for. Not
// thread-safe. Pure: time and what has happened are told.
class Lifetimes {
 public:
  // `bound_process_lives`: of BoundToProcess.
  void Add(const Lease& lease, bool bound_process_lives, absl::Time now);
  // Nothing if there is none.
  void Remove(Ifindex tap);

  void SetAttached(Ifindex tap, bool attached, absl::Time now);
  void ProcessEnded(Ifindex tap, absl::Time now);
  // It is not over before `until`, for all that was told so far.
  void PutOff(Ifindex tap, absl::Time until);

  // Those that are over at `now`. They stay until they are removed.
  std::vector<Ifindex> Due(absl::Time now) const;
  // When the next one may be over; nullopt: none will by the passing of time alone.
  std::optional<absl::Time> NextDue() const;

 private:
  struct Waiting {
    Lifetime lifetime;
    bool attached = false;
    bool was_attached = false;   // since it was made
    bool process_lives = false;  // of BoundToProcess
    absl::Time idle_since = absl::InfinitePast();
    absl::Time not_before = absl::InfinitePast();
    std::optional<absl::Time> noted;  // in ending_

    // When it is over, if nothing happens.
    std::optional<absl::Time> EndsAt() const;
  };

  // Notes again when it ends; nullopt: not by itself.
  void Settle(Ifindex tap, Waiting* waiting, std::optional<absl::Time> end);

  absl::flat_hash_map<Ifindex, Waiting> waiting_;
  std::set<std::pair<absl::Time, Ifindex>> ending_;  // those of them with an EndsAt, by it
};

}  // namespace svnet
