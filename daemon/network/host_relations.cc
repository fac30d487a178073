#include "daemon/network/host_relations.h"

#include "absl/strings/str_cat.h"
#include "daemon/foreign/foreign_firewall_reconciler.h"
#include "daemon/network/event_sink.h"

namespace svnet {

void HostRelations::ReportUp(const std::string& uplink) {
  if (is_up_ && uplink_ == uplink) return;
  is_up_ = true;
  uplink_ = uplink;
  foreign_.NetworkUp(uplink);
}

absl::Status HostRelations::ReportDown() {
  is_up_ = false;
  return foreign_.Withdraw();
}

void HostRelations::NoteForeignChange() { foreign_.MarkDirty(); }

void HostRelations::NoteForwardingOn(bool unasked) {
  if (!unasked) {
    Log("net.ipv4.ip_forward was 0 and is 1 for guests; what is forwarded between other links is "
        "dropped until another program filters it");
  }
  foreign_.SetForwardsForAll(false);
}

void HostRelations::NoteForwardingOff() {
  Log("net.ipv4.ip_forward is 0 again: svnetd had turned it on, and nothing else needs it");
}

void HostRelations::NoteForwardingOpened(const std::string& whose) {
  Log(absl::StrCat("what is forwarded between other links is no longer dropped: ", whose,
                   " decides about it now"));
  foreign_.SetForwardsForAll(true);
}

void HostRelations::Log(const std::string& what) {
  events_.Publish({.type = TapEvent::Type::kNoted, .lease = std::nullopt, .message = what});
}

}  // namespace svnet
