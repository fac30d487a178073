#include "daemon/network/host_relations.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/foreign/foreign_firewall_reconciler.h"
#include "daemon/network/event_sink.h"

namespace svnet {

void HostRelations::ReportUp(const NetworkName& network, const std::string& uplink) {
  const auto [known, is_new] = uplinks_.try_emplace(network, uplink);
  if (!is_new && std::exchange(known->second, uplink) == uplink) return;
  foreign_.NetworkUp(network, uplink);
}

absl::Status HostRelations::ReportDown(const NetworkName& network) {
  uplinks_.erase(network);
  return foreign_.Withdraw(network);
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
