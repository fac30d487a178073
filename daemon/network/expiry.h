// Which leases end by themselves, and when.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/unique_fd.h"
#include "daemon/kernel/kernel.h"
#include "daemon/lease/lease.h"
#include "daemon/network/caller.h"

namespace svnet {

class EventPoller;

// One record for each lease that is not persistent: what it waits for, and its process. Says what
// is due; another ends it. Not thread-safe. The caller passes the time.
class Expiry {
 public:
  // Both must outlive it. The poller is told of each process, with the TAP's ifindex as tag.
  Expiry(Kernel* kernel, EventPoller* poller);
  ~Expiry();

  // The process of a lifetime that is bound to one, otherwise one without a pidfd;
  // INVALID_REQUEST if the caller may not bind a lease to it.
  absl::StatusOr<Process> OpenProcessFor(const Caller& caller, const Lifetime& lifetime);

  // A new lease. `process` is that of its lifetime, without a pidfd if it has none.
  void Add(const Lease& lease, Process process, absl::Time now);
  // A lease that an earlier svnetd granted; its process may have ended since.
  void Adopt(const Lease& lease, absl::Time now);
  // Nothing if there is no such lease.
  void Remove(Ifindex tap);

  // A VMM has opened the TAP, or let go of it.
  void SetAttached(Ifindex tap, bool attached, absl::Time now);
  // The tags of processes that have ended, and others.
  void NoteEnded(const std::vector<uint64_t>& tags, absl::Time now);
  // The lease is not over before `until`, for all that is known now.
  void PutOff(Ifindex tap, absl::Time until);

  // The TAPs of the leases that are over at `now`. They stay until they are removed.
  std::vector<Ifindex> Due(absl::Time now) const;
  // When the next one may be over; nullopt: none will by the passing of time alone.
  std::optional<absl::Time> NextDue() const;

  // Whether a process holds the TAP, whatever its carrier says. If none does, then none can before
  // `hold` is closed.
  absl::StatusOr<bool> IsHeld(const Lease& lease, const Link& link, UniqueFd* hold);

 private:
  struct Record {
    Lifetime lifetime;
    UniqueFd pidfd;  // of BoundToProcess, while the process lives
    bool attached = false;
    bool was_attached = false;  // since the TAP was made
    absl::Time idle_since = absl::InfinitePast();
    absl::Time not_before = absl::InfinitePast();
    std::optional<absl::Time> noted;  // in ending_

    // When the lease is over, if nothing happens; nullopt: not by the passing of time.
    std::optional<absl::Time> EndsAt() const;
  };

  // nullptr if there is none.
  Record* Find(Ifindex tap);
  // Notes again when it ends.
  void Update(Ifindex tap, Record* record);
  void Unschedule(Ifindex tap, Record* record);
  void CloseProcess(Record* record);

  Kernel& kernel_;
  EventPoller& poller_;
  absl::flat_hash_map<Ifindex, Record> records_;
  std::set<std::pair<absl::Time, Ifindex>> ending_;  // those of them with an EndsAt, by it
};

}  // namespace svnet
