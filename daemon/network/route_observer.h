// Whether packets of guests find their way, as the kernel would send them now.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "daemon/address/uplink.h"
#include "daemon/base/condition.h"
#include "daemon/base/ipv4.h"
#include "daemon/kernel/kernel.h"
#include "daemon/segment/network_settings.h"

namespace svnet {

class LeaseBook;
class Segment;

// Asks the kernel, and reads no lists of routes or rules: what it answers is what happens, with
// policy rules, VPNs, next hop objects and whatever else there may be. Not thread-safe.
class RouteObserver {
 public:
  // All must outlive it.
  struct Parts {
    Kernel* kernel;
    const Segment* segment;
    const LeaseBook* book;
  };
  RouteObserver(const NetworkSettings& settings, const Parts& parts)
      : settings_(settings), parts_(parts) {}

  // What the kernel has said of changes.
  void Note(const KernelChanges& changes);
  void MarkDirty() { dirty_ = true; }
  // Whether anything may be other than it was at the last Look.
  bool IsDirty() const { return dirty_; }

  // Asks for the ways of the host's own packets, and of guests' if they have a network. An error:
  // not known, so it stays dirty.
  absl::Status Look();

  // By the last Look. nullopt: the host reaches no internet.
  const std::optional<Uplink>& uplink() const { return uplink_; }
  // With which address guests' packets are to leave by a link, where masquerade would take another
  // than the route prefers.
  const std::map<Ifindex, Ipv4Address>& preferred_sources() const { return preferred_sources_; }
  // Whether guests reach what the host reaches.
  bool AreGood() const { return !trouble_.has_value(); }
  // Appends what is wrong.
  void AddConditions(std::vector<Condition>* conditions) const;

 private:
  bool MayHaveRoutes(const Link& link) const;
  absl::Status LookForGuests();
  // A guest that stands for all of them: one that has a lease, if any has.
  struct Example {
    Ipv4Address address;
    Ifindex link;  // Segment::LinkOf
  };
  // nullopt: there is none to ask for.
  std::optional<Example> FindExample() const;
  absl::Status LookOut(const Example& guest, Ipv4Address destination);
  // Whether such a packet, which is for the guest, gets to it.
  absl::Status LookIn(const Example& guest, const RouteQuestion& question);
  absl::Status NotePreferredSource(const RouteAnswer& way, Ipv4Address destination);
  // Why what comes in by that link is dropped.
  absl::Status ExplainDrop(const Example& guest, const RouteAnswer& answer,
                           const RouteQuestion& question);
  void ExplainDiversion(const Example& guest, const RouteAnswer& answer);
  Ifindex bridge() const;
  std::string NameOf(Ifindex link) const;

  const NetworkSettings settings_;
  const Parts parts_;
  bool dirty_ = true;
  std::optional<Uplink> uplink_;
  std::map<Ifindex, Ipv4Address> preferred_sources_;
  std::optional<Condition> trouble_;  // the first that was found
};

}  // namespace svnet
