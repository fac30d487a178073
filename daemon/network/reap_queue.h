// TAPs that are cut off and that the kernel has not yet destroyed.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "daemon/base/ifindex.h"
#include "daemon/base/ipv4.h"
#include "daemon/lease/lease_table.h"
#include "daemon/lease/names.h"
#include "daemon/network/retired_tap.h"

namespace svnet {

// Collects retired TAPs, so that many are destroyed at once: destroying one takes the kernel
// nearly as long as a hundred. They are destroyed in pieces, each a link group, because nobody can
// change a link of the host while the kernel destroys a group: what a hundred take longer than one
// is all in that time. Not thread-safe. Pure: the caller passes the time.
class ReapQueue {
 public:
  // Which group the next TAP is to be in: one that is not being destroyed, and if possible has
  // room in its piece and no other links in it.
  uint32_t NextGroup() const;
  void Add(Ifindex tap, const RetiredTap& what, absl::Time now);
  // The device was deleted by another program.
  void NoteGone(Ifindex tap);
  // A link is in the group of that number; nullopt: in none of them. If it is none of these TAPs,
  // it is not to be destroyed with them.
  void NoteGroup(Ifindex link, std::optional<uint32_t> group_number);
  // Forgets what NoteGroup has noted: all links are told anew.
  void ForgetGroups() { others_.clear(); }
  bool Contains(Ifindex tap) const { return taps_.contains(tap); }
  bool HasAddress(Ipv4Address address) const { return addresses_.contains(address); }
  // Those that wait and those that are being destroyed.
  size_t size() const;
  // Whether any of them still exists, as far as is known.
  bool HasDevices() const;
  // How many addresses they still have.
  size_t addresses() const;
  // How much of them counts against an owner's quotas.
  Holdings HoldingsOf(uid_t owner) const;
  std::vector<Ifindex> WaitingTaps() const;

  // TAPs are being created or removed: wait kQuietPeriod for more, at most kMaxDelay for each
  // TAP. From kLargeBatch on, wait a fifth of that: a larger batch would gain little.
  void NoteActivity(absl::Time now) { last_activity_ = now; }
  // A caller needs what the TAPs still have: do not wait.
  void FlushNow() { flush_now_ = true; }
  // A piece failed: do not try again before `when`.
  void DelayUntil(absl::Time when) { not_before_ = when; }

  // When to take the next piece; nullopt: there is none that is not taken already.
  std::optional<absl::Time> NextDue() const;
  // A piece. If none was due, all that wait are from now on. Undefined if NextDue is nullopt.
  ReapPiece Take();
  // Whether a piece is taken and not finished.
  bool IsTaken() const;
  // Ends the piece of that group that was taken, and returns it. Unless all is done, it waits
  // again.
  RetiredTaps Finish(uint32_t group_number, ReapOutcome outcome);

  static constexpr absl::Duration kQuietPeriod = absl::Milliseconds(50);
  static constexpr size_t kLargeBatch = 100;
  static constexpr absl::Duration kMaxDelay = absl::Milliseconds(500);
  static constexpr absl::Duration kPenalty = absl::Seconds(3);
  // Two threads destroy pieces, and somebody who wants to change a link may have to wait for both.
  // Of 900 TAPs on a bridge, measured by tests/kernel/reap_test.cc on a machine with other work:
  // all at once took 610 ms, and the longest wait was 520 ms; pieces of 100 took 720 and 80, of 80
  // 720 and 60, of 64 830 and 56, of 50 950 and 53. All groups together hold more than a bridge has
  // ports.
  static constexpr size_t kPieceSize = 80;

 private:
  struct Piece {
    RetiredTaps waiting;
    RetiredTaps being_reaped;
    bool due = false;  // `waiting` is

    bool CanBeTaken() const { return !waiting.empty() && being_reaped.empty(); }
  };

  size_t waiting() const;
  bool HasOthers(uint32_t group_number) const;
  // Something waits, and may be taken.
  bool HasPiece() const;
  // Such a piece is due, whatever the time.
  bool HasDuePiece() const;
  void Count(Ifindex tap, const RetiredTap& what);
  void Discount(Ifindex tap, const RetiredTap& what);

  // Of all pieces:
  absl::flat_hash_map<Ifindex, size_t> taps_;           // how often each is there
  absl::flat_hash_map<uid_t, Holdings> holdings_;       // by owner
  absl::flat_hash_map<Ipv4Address, size_t> addresses_;  // how many TAPs have it
  std::vector<Piece> pieces_{kRetiredGroups};           // by the number of the group
  // Of those that wait and are not yet due:
  absl::Time oldest_ = absl::InfiniteFuture();         // except for penalties
  absl::Time penalties_end_ = absl::InfiniteFuture();  // the first of them
  absl::Time last_activity_ = absl::InfinitePast();
  absl::Time not_before_ = absl::InfinitePast();
  bool flush_now_ = false;
  std::map<Ifindex, uint32_t> others_;  // links in the groups that are not retired, by number
};

}  // namespace svnet
