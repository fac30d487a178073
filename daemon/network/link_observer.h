// Takes in what the kernel says of links, and notes in the book what is to be done about it.
#pragma once

#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/kernel/kernel.h"
#include "daemon/lease/lease.h"

namespace svnet {

class EventSink;
class Expiry;
class Infrastructure;
class LeaseBook;
class Segment;
class TapReaper;

// Changes nothing in the kernel. Only a lease whose TAP is gone ends at once. Not thread-safe.
class LinkObserver {
 public:
  // All must outlive it.
  struct Parts {
    Kernel* kernel;
    Segment* segment;
    Infrastructure* infrastructure;
    LeaseBook* book;
    Expiry* expiry;
    TapReaper* reaper;
    EventSink* events;
    Clock clock;
  };
  explicit LinkObserver(const Parts& parts) : parts_(parts) {}

  // What the kernel has said of changes. True if all links are to be read anew: another program
  // has made, or marked, a TAP as ours.
  bool Note(const KernelChanges& changes);
  // What those links, which are all that there are, say of TAPs of leases, and which are in the
  // groups of retired TAPs.
  void ObserveAll(const std::vector<Link>& links);
  // Asks the kernel whether the TAP of a lease has a carrier now: its notifications come later.
  void RefreshAttachment(Ifindex tap);
  // The link of a lease's TAP says whether a VMM has opened it.
  void ObserveAttachment(const Link& link, const Lease& lease);
  // A retired TAP, or one of a lease, has that MAC: if it is not the one that all TAPs have, the
  // guest that has it has lost its place in the bridge.
  void NoteOwnMac(const Link& link);
  // A lease's MAC has lost its place in the bridge while nothing was heard.
  void NoteLostPlace(Ifindex tap);

 private:
  bool NoteLink(const Link& link);
  void NoteGroup(const Link& link);
  void ObserveLeaseLink(const Link& link, const Lease& lease);
  // What was changed and changed back: its effect stays.
  void NoteEarlierTap(Link link);
  void NoteTampering(const Link& link, const Lease& lease);
  void NoteStolenMac(Ifindex thief, const MacAddress& mac);
  void NoteStaticMacs(const KernelChanges& changes);

  const Parts parts_;
};

}  // namespace svnet
