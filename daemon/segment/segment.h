// How the guests of a network are connected: to each other, and to the host.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/base/condition.h"
#include "daemon/base/ifindex.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/mac_address.h"
#include "daemon/kernel/kernel.h"
#include "daemon/lease/drift.h"
#include "daemon/lease/lease_table.h"

namespace svnet {

// The host's end of a segment: the link that has the gateway's address.
struct Gateway {
  Ifindex ifindex = 0;
  MacAddress mac = MacAddress({});
  uint32_t mtu = 0;                    // bytes
  std::vector<Ipv4Address> addresses;  // all that the link has, the gateway's among them
};

// What Ensure did.
struct SegmentChange {
  bool made = false;                      // there was no such link
  bool can_be_undone = false;             // see Undo
  bool neighbours_lost = false;           // what the gateway's link knew of them
  bool routes_lost = false;               // those that name the gateway's address
  std::vector<absl::string_view> causes;  // why there was something to do, for people
};

struct SegmentStatus {
  bool up = false;
  uint32_t mtu = 0;  // bytes
  // Links on the bridge, foreign ones too; nullopt: there is none to which TAPs are connected.
  std::optional<uint32_t> ports_used = 0;
};

// Remembers what it found or made, and whether a kernel notification has said since that it has
// changed: then it is dirty, and the next Ensure looks. Not thread-safe. Where the contract has a
// reason for an error, the error has that reason.
class Segment {
 public:
  virtual ~Segment() = default;

  // SUBNET_CONFLICT if the prefix overlaps what the host already has, unless the segment exists
  // and has the gateway's address.
  virtual absl::Status CheckPrefix() = 0;
  enum class Found { kNothing, kSomething, kOurs };
  // What exists under the segment's name, perhaps made by an earlier svnetd.
  virtual absl::StatusOr<Found> Find() = 0;
  // The link that has, or should have, the gateway's address, as it is now; nullopt: there is none.
  virtual absl::StatusOr<std::optional<Gateway>> FindGateway() = 0;

  // Makes the segment whole, except for the entries of leases. `in_use`: there are leases; then
  // the MTU of a segment that exists does not change. An error leaves nothing that was not there
  // before.
  virtual absl::StatusOr<SegmentChange> Ensure(bool in_use) = 0;
  // Takes back what that call of Ensure did.
  virtual void Undo(const SegmentChange& change) = 0;
  // Makes the entries of leases (neighbours) those of `leases`, if they are dirty.
  virtual absl::Status EnsureEntries(const LeaseTable& leases) = 0;
  // Takes the segment away, unless svnetd did not make it. True if it was taken away.
  virtual absl::StatusOr<bool> Release() = 0;

  // BRIDGE_FULL if no other TAP can be attached.
  virtual absl::Status CheckCapacity() const = 0;
  // Binding::zone of the guest on that TAP.
  virtual uint32_t ZoneOf(const LeaseSpec& spec, Ifindex tap) const = 0;
  // Connects a new TAP: the gateway knows the guest's MAC for good, and the TAP is a port, or has
  // the route to the guest. An error leaves nothing but what goes with the TAP.
  virtual absl::StatusOr<TapState> Attach(OpenTap* tap, const LeaseSpec& spec) = 0;
  // The TAP is persistent now.
  virtual void NoteAttached(Ifindex tap) = 0;
  // A lease was adopted: its entries may be missing.
  virtual void NoteAdopted(const Lease& lease) = 0;
  // Deletes the entries of a lease; the TAP stays where it is.
  virtual absl::Status Detach(const Lease& lease) = 0;
  // Takes back Detach.
  virtual absl::Status Reattach(const Lease& lease) = 0;
  // How the TAP of a lease has drifted, for people; empty: it has not. Pure.
  virtual std::string Compare(const Lease& lease, const Link& link) const = 0;
  // Whether all that a lease has besides its TAP is there, as the kernel says now. False if it
  // is not known.
  virtual bool HasEntries(const Lease& lease) = 0;
  // Makes the TAP of a lease, which is `link`, again what Attach made it.
  virtual absl::StatusOr<TapState> Repair(const Lease& lease, const Link& link) = 0;

  // What the kernel has said of changes.
  virtual void Note(const KernelChanges& changes, const LeaseTable& leases) = 0;
  // TAPs that must be repaired for that though their links do not show it, and why, for people;
  // empty: only if their links do.
  virtual std::map<Ifindex, std::string> FindSpoilt(const KernelChanges& changes,
                                                    const LeaseTable& leases) const = 0;
  // All links of the host.
  virtual void NoteLinks(const std::vector<Link>& links) = 0;
  // TAPs of the segment were destroyed.
  virtual void NoteDestroyed(Ifindex tap) = 0;
  virtual void MarkDirty() = 0;
  virtual void MarkEntriesDirty() = 0;
  virtual bool IsDirty() const = 0;

  // As it was last found or made; ifindex 0: it is not known.
  virtual const Gateway& gateway() const = 0;
  // By which link the packets of a guest come in, and those for it leave.
  virtual Ifindex LinkOf(const Lease& lease) const = 0;
  // What all TAPs have in common.
  virtual TapPlan plan() const = 0;
  // The same, with the gateway's link that is among `links`.
  virtual TapPlan PlanAmong(const std::vector<Link>& links) const = 0;
  // Its state, for people, from all links of the host.
  virtual absl::StatusOr<SegmentStatus> Observe(const std::vector<Link>& links) = 0;
  // Whether guests reach their gateway, by the last AddConditions.
  virtual bool IsGood() const = 0;
  // Appends what is wrong. `in_use`: there are leases.
  virtual absl::Status AddConditions(bool in_use, std::vector<Condition>* conditions) = 0;
};

}  // namespace svnet
