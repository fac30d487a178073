// What networks tell those who look after the whole host: other programs' packet filters, and
// the log.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "daemon/base/network_name.h"

namespace svnet {

class ForeignFirewallReconciler;
class EventSink;

// The only place of networks that calls ForeignFirewallReconciler. Not thread-safe.
class HostRelations {
 public:
  // Both must outlive it.
  HostRelations(ForeignFirewallReconciler* foreign, EventSink* events)
      : foreign_(*foreign), events_(*events) {}

  // Whether the network is known to exist.
  bool IsUp(const NetworkName& network) const { return uplinks_.contains(network); }
  // It exists, and its guests get out by that link (empty: by none). Costs nothing if that is
  // known.
  void ReportUp(const NetworkName& network, const std::string& uplink);
  // It is gone. An error: svnetd's accepts for it are still in other packet filters, and it is
  // tried again.
  absl::Status ReportDown(const NetworkName& network);

  // Another program has changed rules of its own.
  void NoteForeignChange();
  // svnetd has turned forwarding on for guests; `unasked`: to repair it.
  void NoteForwardingOn(bool unasked);
  // svnetd has turned forwarding off again.
  void NoteForwardingOff();
  // Another program decides what is forwarded between other links.
  void NoteForwardingOpened(const std::string& whose);

 private:
  // Says in the log what svnetd has changed for the whole host.
  void Log(const std::string& what);

  ForeignFirewallReconciler& foreign_;
  EventSink& events_;
  std::map<NetworkName, std::string> uplinks_;  // of those that exist
};

}  // namespace svnet
