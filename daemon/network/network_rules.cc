#include "daemon/network/network_rules.h"

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/status_macros.h"
#include "daemon/network/lease_book.h"
#include "daemon/network/spec_texts.h"
#include "daemon/segment/segment.h"

namespace svnet {
namespace {

constexpr char kRemedy[] = "`systemctl restart svnetd` repairs it; no guest is disturbed";

Condition NearlyFull(const ConnectionTable& connections) {
  return {.type = "CONNECTION_TABLE_NEARLY_FULL",
          .message = absl::StrCat(
              "the kernel tracks ", connections.used, " connections of at most ", connections.size,
              ": when that is full, neither guests nor the host can open new ones"),
          .remedy =
              "find whose they are (conntrack -L), set smaller `guest_connections` and "
              "`owner_connections`, or a larger net.netfilter.nf_conntrack_max"};
}

}  // namespace

NetworkRules::NetworkRules(const NetworkName& name, const Segment* segment, Kernel* kernel,
                           HostRules* host, const SpecTexts* texts, const LeaseBook* book)
    : name_(name),
      segment_(*segment),
      kernel_(*kernel),
      host_(*host),
      texts_(*texts),
      book_(*book) {
  host_.Add(this);
}

absl::StatusOr<NetworkRules::Change> NetworkRules::Ensure(const GuestBridge& bridge,
                                                          bool forwarding) {
  if (bridge_ != bridge) MarkDirty();
  const bool was_dirty = !host_.are_clean();
  Change change;
  absl::Cleanup undo = [&] {
    if (book_.leases().size() == 0) Undo(change);
  };
  SVNET_ASSIGN_OR_RETURN(const bool turn_on, host_.PlanForwarding(forwarding));
  if (!host_.are_clean()) {
    const std::optional<GuestBridge> before = std::exchange(bridge_, bridge);
    const absl::Status applied = host_.Apply();
    if (!applied.ok()) bridge_ = before;
    SVNET_RETURN_IF_ERROR(applied);
    change = {.applied = true, .repaired = was_dirty};
  }
  if (turn_on) SVNET_RETURN_IF_ERROR(host_.TurnForwardingOn());
  std::move(undo).Cancel();
  change.turned_forwarding_on = turn_on;
  host_.NoteForwardingClean();
  return change;
}

void NetworkRules::Undo(const Change& change) {
  bridge_.reset();
  host_.Undo(change.turned_forwarding_on, change.applied);
}

Binding NetworkRules::BindingOf(const LeaseSpec& spec, Ifindex tap) const {
  return {.ifindex = tap,
          .mac = spec.mac,
          .ip = spec.ip,
          .zone = segment_.ZoneOf(spec, tap),
          .owner = spec.key.owner,
          .view = spec.view};
}

std::optional<NetworkGuests> NetworkRules::Guests() const {
  if (!bridge_.has_value()) return std::nullopt;
  NetworkGuests guests = {.name = name_, .bridge = *bridge_};
  guests.bindings.reserve(book_.leases().size());
  for (const auto& [tap, lease] : book_.leases().all()) {
    if (texts_.WhyLost(lease.spec).has_value()) continue;
    guests.bindings.push_back(BindingOf(lease.spec, lease.state.ifindex));
  }
  return guests;
}

absl::Status NetworkRules::Admit(const LeaseSpec& spec, Ifindex tap) {
  if (texts_.WhyLost(spec).has_value()) return absl::OkStatus();
  const absl::Status status = host_.Bind(name_, BindingOf(spec, tap));
  if (!status.ok()) Revoke(spec, tap).IgnoreError();
  return status;
}

absl::Status NetworkRules::Revoke(const LeaseSpec& spec, Ifindex tap) {
  return host_.Unbind(name_, BindingOf(spec, tap));
}

absl::StatusOr<NetworkRules::Released> NetworkRules::Release() {
  bridge_.reset();
  return host_.Release();
}

absl::Status NetworkRules::AddConditions(bool in_use, std::vector<Condition>* conditions) {
  SVNET_ASSIGN_OR_RETURN(const ConnectionTable connections, ReadConnections());
  if (connections.IsNearlyFull()) conditions->push_back(NearlyFull(connections));
  if (!in_use) return absl::OkStatus();
  SVNET_ASSIGN_OR_RETURN(const bool forwarding, kernel_.IsForwarding());
  if (!forwarding) {
    conditions->push_back({.type = "FORWARDING_OFF",
                           .message = "net.ipv4.ip_forward is 0: guests cannot get out",
                           .remedy = kRemedy});
  }
  if (!are_clean()) {
    conditions->push_back({.type = "NAT_MISSING",
                           .message = "svnetd's nftables table is gone: guests cannot get out",
                           .remedy = kRemedy});
  }
  return absl::OkStatus();
}

}  // namespace svnet
