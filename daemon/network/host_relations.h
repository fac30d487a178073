// What a network tells those who look after the whole host: other programs' packet filters, and
// the log.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace svnet {

class ForeignFirewallReconciler;
class EventSink;

// The only place of a network that calls ForeignFirewallReconciler. Not thread-safe.
class HostRelations {
 public:
  // Both must outlive it.
  HostRelations(ForeignFirewallReconciler* foreign, EventSink* events)
      : foreign_(*foreign), events_(*events) {}

  // Whether the network is known to exist.
  bool is_up() const { return is_up_; }
  // The network exists, and guests get out by that link (empty: by none). Costs nothing if that
  // is known.
  void ReportUp(const std::string& uplink);
  // The network is gone. An error: svnetd's accepts are still in other packet filters, and it is
  // tried again.
  absl::Status ReportDown();

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
  bool is_up_ = false;
  std::string uplink_;
};

}  // namespace svnet
