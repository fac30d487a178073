// Keeps what leases need as it should be, and ends those that are over.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/address/address_pool.h"
#include "daemon/firewall/firewall.h"
#include "daemon/kernel/kernel.h"
#include "daemon/lease/adoption.h"
#include "daemon/lease/drift.h"
#include "daemon/lease/lease_table.h"
#include "daemon/network/coexistence.h"
#include "daemon/network/event_poller.h"
#include "daemon/network/lifetimes.h"
#include "daemon/network/network_health.h"
#include "daemon/network/network_setup.h"
#include "daemon/network/reap_queue.h"
#include "daemon/network/repair_limit.h"
#include "daemon/network/tap_event.h"

namespace svnet {

// Why a lease's TAP is suspected to need repair, where its link does not show it.
inline constexpr char kLostPlace[] =
    "its MAC had lost its place in the bridge's forwarding database";

// The leases that stand, the TAPs that are dying, and the network below them. What is
// held here is what the kernel was last told, or said; CatchUp takes in what it has said
// since, and puts right what somebody else has changed. Not thread-safe.
class LeaseKeeper {
 public:
  using Clock = std::function<absl::Time()>;             // as MonotonicNow
  using Publish = std::function<void(const TapEvent&)>;  // must not call back

  // What it works with must outlive it. `coexistence` is told of others' rules that were
  // changed; nullptr: nobody is.
  static absl::StatusOr<std::unique_ptr<LeaseKeeper>> Create(const NetworkSettings& settings,
                                                             Kernel* kernel, Firewall* firewall,
                                                             Coexistence* coexistence, Clock clock,
                                                             Publish publish);

  // Adopts what an earlier svnetd left, and if there are leases makes sure that their
  // network stands. SUBNET_CONFLICT if the prefix overlaps what the host already has.
  absl::Status Begin();

  // Readable when CatchUp has something to do.
  int attention_fd() const { return poller_.fd(); }
  // Takes in what has happened, repairs what was changed, and ends what is over. An
  // error: not known how things stand; BRIDGE_SETUP_FAILED.
  absl::Status CatchUp();

  // Whether the last CatchUp could hear what the kernel said.
  bool hears() const { return hears_; }

  LeaseTable& leases() { return leases_; }
  AddressPool& pool() { return pool_; }
  NetworkSetup& setup() { return setup_; }
  ReapQueue& reap_queue() { return reap_queue_; }
  PortPlan Plan() const;
  // Links on the bridge, whoever put them there.
  size_t ports() const { return ports_.size(); }
  // What is not as it should be, besides what NetworkSetup::Observe finds.
  std::vector<Condition> Conditions() const;

  // After a CatchUp.
  NetworkHealth Health() const;

  // No TAP that bears our mark is known to be none of the leases.
  bool AllAreAdopted() const { return not_adopted_.empty(); }

  // A lease whose TAP was just made; `process` is that of its lifetime, without a pidfd if
  // it has none.
  void Add(const Lease& lease, Process process);

  // Asks the kernel whether a TAP is held open now: what it announces comes a little later.
  void LookAt(Ifindex tap);

  // Ends a lease: cuts the guest off, and its TAP is dying. An error leaves the lease as it
  // was.
  absl::Status Retire(const Lease& lease, const std::string& why);
  // The same for a TAP of ours that is no lease.
  absl::Status RetireTap(Ifindex tap, const RetiredTap& what);
  // Has a TAP that is dying give up its name, if it is one that has it. False if another
  // link has it.
  absl::StatusOr<bool> FreeName(const LinkName& name);
  // Every lease has ended, and every TAP is destroyed; the network is taken away with them.
  void ForgetAll();

  // What was taken from reap_queue() is destroyed, or why not.
  void FinishReaping(const absl::Status& destroyed, const absl::Status& flows_forgotten);

  // Reads everything anew from the kernel; all its links.
  absl::StatusOr<std::vector<Link>> Resync();

 private:
  LeaseKeeper(const NetworkSettings& settings, Kernel* kernel, Firewall* firewall,
              Coexistence* coexistence, Clock clock, Publish publish, EventPoller poller);

  // What the kernel has said.
  void Note(const KernelChanges& changes);
  void NoteLink(const Link& link);
  void NoteLeasesLinks(const std::vector<Link>& links);
  void NoteLeasesLink(const Link& link, const Lease& lease);
  void NoteAttachment(const Link& link, const Lease& lease);
  void NotePort(const Link& link);
  void NoteNeighbours(const KernelChanges& changes);
  void NoteEarlierTap(Link link);
  void NoteTampering(const Link& link, const Lease& lease);
  void NoteOwnMac(const Link& link);
  // A TAP has another MAC than all TAPs have: who had that one has lost its place.
  void NoteStolenMac(Ifindex thief, const MacAddress& mac);
  void NoteEndedProcesses(const std::vector<uint64_t>& tags);

  // What is to be done about it.
  void EndTampered();
  void Repair();
  // What was repaired; nullopt: nothing.
  std::optional<TapEvent> RepairNetwork();
  void RepairTap(Ifindex tap, const std::string& known);
  void EndOver();
  void EndUnlessHeld(const Lease& lease);
  // Whether a process holds the TAP, whatever its carrier says; if none does, then none can
  // before `hold` is closed.
  absl::StatusOr<bool> IsHeld(const Lease& lease, const Link& link, UniqueFd* hold);
  void Reschedule();

  void ReadPorts(const std::vector<Link>& links);
  absl::Status ReadStaticMacs();
  // As Plan, and with the bridge that is among those links.
  PortPlan PlanAmong(const std::vector<Link>& links) const;
  void RemoveTampered(const EndedTap& tap);
  void EndAllBut(const std::vector<Link>& links);
  void TakeIn(const std::vector<Link>& links);
  // False if another lease is in its way.
  bool TakeIn(const Lease& lease);
  void AddLifetime(const Lease& lease, Process process);
  void EndVanished(const Lease& lease);
  // The lease is no more; its address is free when its TAP and its flows are gone.
  void Forget(const Lease& lease, const std::string& why);
  void Fail(const std::string& what);

  static constexpr absl::Duration kRetry = absl::Seconds(1);
  // How often it is asked whether a TAP without a carrier is still held.
  static constexpr absl::Duration kHeldRetry = absl::Seconds(5);

  const NetworkSettings settings_;
  Kernel* const kernel_;
  Firewall* const firewall_;
  Coexistence* const coexistence_;
  const Clock clock_;
  const Publish publish_;

  NetworkSetup setup_;
  AddressPool pool_;
  LeaseTable leases_;
  ReapQueue reap_queue_;
  Lifetimes lifetimes_;
  EventPoller poller_;
  std::map<Ifindex, UniqueFd> processes_;  // of lifetimes, by TAP
  std::set<Ifindex> ports_;
  std::vector<Condition> not_adopted_;

  bool hears_ = true;
  bool resync_ = false;
  std::map<Ifindex, std::string> suspects_;  // TAPs to look at, and what is known already
  // TAPs on which their holders have changed what contradicts the lease, and what.
  std::map<Ifindex, std::string> tampered_;
  // TAPs whose MAC's place another TAP has taken: their repair costs them nothing.
  std::set<Ifindex> robbed_;
  RepairLimit limit_;
  std::optional<absl::Time> try_again_;
  std::string last_failure_;
  int flow_failures_ = 0;  // in a row
};

}  // namespace svnet
