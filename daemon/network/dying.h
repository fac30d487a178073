// TAPs that are cut off, and that the kernel has not yet destroyed.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <set>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "daemon/base/ipv4.h"
#include "daemon/kernel/kernel.h"
#include "daemon/lease/lease_table.h"

namespace svnet {

// Collects them, so that many are destroyed at once: one takes the kernel nearly as long
// as a hundred, and nobody can change any link of the host meanwhile. Not thread-safe.
// Pure: time is told.
class Dying {
 public:
  struct Tap {
    // Not to be leased again before it is done; nullopt if it has none that anybody knows.
    std::optional<Ipv4Address> address;
    // The device is: what is left is what the host knows of the address. Its ifindex may be
    // somebody else's by now.
    bool gone = false;
    // Whose quotas it counts against until it is gone, because that owner's process has changed
    // what it may not; nullopt: nobody's. Such a TAP goes with others', or after kPenalty: who
    // does that again and again waits for its own quota, and nobody for the kernel.
    std::optional<uid_t> counts_for = std::nullopt;
    uint32_t queues = 0;
  };
  // What is to be done away with together.
  using Batch = std::map<Ifindex, Tap>;

  void Add(Ifindex tap, const Tap& what, absl::Time now);
  // Somebody has destroyed the device: one, or all.
  void NoteGone(Ifindex tap);
  void NoteAllGone();
  bool Contains(Ifindex tap) const;
  // Those that wait and those that are being destroyed.
  size_t size() const { return waiting_.size() + being_reaped_.size(); }
  // How many addresses they hold.
  size_t addresses() const;
  // What of them counts against an owner's quotas.
  Holdings HoldingsOf(uid_t owner) const;
  const Batch& waiting() const { return waiting_; }

  // Somebody is making or removing TAPs: more may come, so it waits kQuiet more, but no
  // TAP longer than kPatience. With kMany there is little left to gain: then a fifth of it.
  void Disturb(absl::Time now) { last_disturbed_ = now; }
  // Somebody waits for what they hold.
  void Hurry() { hurry_ = true; }
  // The last batch failed: not before then.
  void PutOffUntil(absl::Time when) { not_before_ = when; }

  // When the next batch is to be taken; nullopt: there is none, or one is taken already.
  std::optional<absl::Time> NextDue() const;
  // All that wait. Until Finish, there is no other.
  const Batch& Take();
  // Whether a batch is taken and not finished.
  bool IsTaken() const { return !being_reaped_.empty(); }
  // What was taken is done with, and returned; if not `done`, it waits again, and nothing
  // is returned.
  Batch Finish(bool done);

  static constexpr absl::Duration kQuiet = absl::Milliseconds(50);
  static constexpr size_t kMany = 100;
  static constexpr absl::Duration kPatience = absl::Seconds(1);
  static constexpr absl::Duration kPenalty = absl::Seconds(3);

 private:
  // It no longer counts against anybody's quotas.
  void Discount(const Tap& what);

  absl::flat_hash_map<uid_t, Holdings> holdings_;  // of both batches; none has no TAP
  Batch waiting_;
  Batch being_reaped_;
  absl::Time oldest_ = absl::InfiniteFuture();         // of waiting_, but for penalties
  absl::Time penalties_end_ = absl::InfiniteFuture();  // the first of them
  absl::Time last_disturbed_ = absl::InfinitePast();
  absl::Time not_before_ = absl::InfinitePast();
  bool hurry_ = false;
};

}  // namespace svnet
