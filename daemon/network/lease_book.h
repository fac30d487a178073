// What svnetd knows of the leases of a network.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "daemon/address/address_pool.h"
#include "daemon/base/ifindex.h"
#include "daemon/lease/lease_table.h"
#include "daemon/network/retired_tap.h"

namespace svnet {

class ReapQueue;

// What is known of a lease's TAP beyond its state, while there is something to be done about it.
struct TapNotes {
  // It may have drifted: look at it. What is already known of it, for people, may be empty.
  std::optional<std::string> dirty;
  // What its holder has changed that contradicts the lease; empty: nothing.
  std::string tampering;
  // Another TAP has taken its MAC's place in the bridge: that repair costs the lease nothing.
  bool robbed = false;
};

// The only mutable state of a network: its leases, retired TAPs, the address pool, and notes about
// TAPs. Does no I/O: what happened is told, and so is the time. An address is out of the pool if
// and only if a lease or a retired TAP has it, or it is reserved for the host. Notes are of leases
// only. Not thread-safe.
class LeaseBook {
 public:
  // `prefix` is at most a /30.
  explicit LeaseBook(const Ipv4Prefix& prefix);
  ~LeaseBook();

  const LeaseTable& leases() const { return leases_; }
  const AddressPool& pool() const { return pool_; }
  // What counts against an owner's quotas: leases, and TAPs retired for tampering.
  Holdings HoldingsOf(uid_t owner) const;

  // A lease whose TAP was just made. False, and nothing is done, if another lease is in its way.
  bool Insert(const Lease& lease, absl::Time now);
  // The same for a TAP that was found, which an earlier svnetd made.
  bool Adopt(const Lease& lease);
  // What the kernel now says of a lease's TAP; nothing if there is no such lease.
  void SetState(const TapState& state);
  // What is now granted to the lease of that TAP name: see LeaseTable.
  void SetSpec(const LeaseSpec& spec) { leases_.SetSpec(spec); }
  // The host has that address: it is not for guests; nothing if it is leased.
  void Reserve(Ipv4Address address) { pool_.Reserve(address); }
  // It cannot be had now: it is the last to come again.
  void PassOver(Ipv4Address address);

  struct Retirement {
    bool gone = false;              // the device is
    bool counts_for_owner = false;  // see RetiredTap
    uint32_t group_number = 0;      // see RetiredTap
  };
  // Which group the next TAP that is retired is to be in: see ReapQueue.
  uint32_t NextRetiredGroup() const;
  // Ends the lease of that TAP, and returns it. Its address comes back with FinishReap.
  // Undefined if there is no such lease.
  Lease Retire(Ifindex tap, const Retirement& how, absl::Time now);
  // A TAP that was not a lease, or not any more.
  void RetireUnleased(Ifindex tap, const RetiredTap& what, absl::Time now);

  // Whether that TAP is retired, and not yet reaped.
  bool IsRetired(Ifindex tap) const;
  bool HasRetiredAddress(Ipv4Address address) const;
  // How many TAPs are retired, and how many addresses they have.
  size_t retired_taps() const;
  size_t retired_addresses() const;
  // Whether any of those TAPs still exists, as far as is known.
  bool HasRetiredDevices() const;
  // Those that are not being destroyed.
  std::vector<Ifindex> WaitingTaps() const;

  // When TakeReapPiece is due; nullopt: nothing waits that is not taken.
  std::optional<absl::Time> NextReap() const;
  // Whether a piece is taken.
  bool IsReaping() const;
  // Retired TAPs, to be destroyed; `group` is not set. Until FinishReap, none joins their group.
  ReapPiece TakeReapPiece();
  // Ends the piece of that group that was taken, and returns it. If all is done, its addresses are
  // free; else it waits again.
  RetiredTaps FinishReap(uint32_t group_number, ReapOutcome outcome);
  void DelayReap(absl::Time until);
  void FlushReap();
  // What is known of links in the groups of retired TAPs, as ReapQueue has it.
  void NoteGroup(Ifindex link, std::optional<uint32_t> group_number);
  void ForgetGroups();
  // A link is no longer there.
  void NoteGone(Ifindex link);

  // Notes about a lease's TAP; nothing if there is no such lease.
  void MarkDirty(Ifindex tap);
  void MarkDirty(Ifindex tap, const std::string& known);  // replaces what is known
  void MarkAllDirty();
  void MarkTampered(Ifindex tap, const std::string& what);  // the first counts
  void MarkRobbed(Ifindex tap);
  const std::map<Ifindex, TapNotes>& notes() const { return notes_; }
  bool IsTampered(Ifindex tap) const;
  // The TAPs that are dirty, which no longer are, and what is known of each.
  std::map<Ifindex, std::string> TakeDirty();
  // Whether it was robbed, which it no longer is.
  bool TakeRobbed(Ifindex tap);

 private:
  // nullptr if no lease has that TAP.
  TapNotes* NotesOf(Ifindex tap);
  void ForgetIfEmpty(Ifindex tap);

  LeaseTable leases_;
  AddressPool pool_;
  std::unique_ptr<ReapQueue> reap_queue_;
  std::map<Ifindex, TapNotes> notes_;  // by TAP; those with something in them
};

}  // namespace svnet
