// TAPs that are cut off and that the kernel has not yet destroyed.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "daemon/base/ifindex.h"
#include "daemon/base/ipv4.h"
#include "daemon/lease/lease_table.h"
#include "daemon/network/retired_tap.h"

namespace svnet {

// Collects retired TAPs, so that many are destroyed at once: destroying one takes the kernel
// nearly as long as a hundred, and no link of the host can be changed in that time. Not
// thread-safe. Pure: the caller passes the time.
class ReapQueue {
 public:
  void Add(Ifindex tap, const RetiredTap& what, absl::Time now);
  // The device was deleted by another program: one, or all.
  void NoteGone(Ifindex tap);
  void NoteAllGone();
  bool Contains(Ifindex tap) const;
  bool HasAddress(Ipv4Address address) const { return addresses_.contains(address); }
  // Those that wait and those that are being destroyed.
  size_t size() const { return waiting_.size() + being_reaped_.size(); }
  // How many addresses they still have.
  size_t addresses() const;
  // How much of them counts against an owner's quotas.
  Holdings HoldingsOf(uid_t owner) const;
  const ReapBatch& waiting() const { return waiting_; }

  // TAPs are being created or removed: wait kQuietPeriod for more, at most kMaxDelay for each
  // TAP. From kLargeBatch on, wait a fifth of that: a larger batch would gain little.
  void NoteActivity(absl::Time now) { last_activity_ = now; }
  // A caller needs what the TAPs still have: do not wait.
  void FlushNow() { flush_now_ = true; }
  // The last batch failed: do not try again before `when`.
  void DelayUntil(absl::Time when) { not_before_ = when; }

  // When to take the next batch; nullopt: there is none, or one is already taken.
  std::optional<absl::Time> NextDue() const;
  // All that wait. No other batch is taken until Finish.
  const ReapBatch& Take();
  // Whether a batch is taken and not finished.
  bool IsTaken() const { return !being_reaped_.empty(); }
  // Ends the batch that was taken and returns it. If not `done`, the TAPs wait again, and
  // nothing is returned.
  ReapBatch Finish(bool done);

  static constexpr absl::Duration kQuietPeriod = absl::Milliseconds(50);
  static constexpr size_t kLargeBatch = 100;
  static constexpr absl::Duration kMaxDelay = absl::Milliseconds(200);
  static constexpr absl::Duration kPenalty = absl::Seconds(3);

 private:
  void Count(const RetiredTap& what);
  void Discount(const RetiredTap& what);

  absl::flat_hash_map<uid_t, Holdings> holdings_;       // of both batches
  absl::flat_hash_map<Ipv4Address, size_t> addresses_;  // how many TAPs of both have it
  ReapBatch waiting_;
  ReapBatch being_reaped_;
  absl::Time oldest_ = absl::InfiniteFuture();         // of waiting_, except for penalties
  absl::Time penalties_end_ = absl::InfiniteFuture();  // the first of them
  absl::Time last_activity_ = absl::InfinitePast();
  absl::Time not_before_ = absl::InfinitePast();
  bool flush_now_ = false;
};

}  // namespace svnet
