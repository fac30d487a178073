#include "daemon/network/route_observer.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "daemon/address/address_pool.h"
#include "daemon/address/source_address.h"
#include "daemon/base/status_macros.h"
#include "daemon/network/lease_book.h"
#include "daemon/segment/segment.h"

namespace svnet {
namespace {

// As sysctl(8) takes it, which has dots between names.
std::string ForwardingOf(const std::string& link) {
  return absl::StrCat("net.ipv4.conf.", absl::StrReplaceAll(link, {{".", "/"}}), ".forwarding");
}

Condition DoesNotForward(const std::string& link) {
  return {
      .type = "FORWARDING_OFF",
      .message = absl::StrCat("link ", link, " does not forward: what comes in by it is dropped"),
      .remedy = absl::StrCat("sysctl -w ", ForwardingOf(link), "=1")};
}

}  // namespace

void RouteObserver::Note(const KernelChanges& changes) {
  const bool links = std::any_of(changes.links.begin(), changes.links.end(),
                                 [&](const auto& each) { return MayHaveRoutes(each.second); }) ||
                     (uplink_.has_value() && changes.gone.contains(uplink_->ifindex));
  const bool routes = changes.lost || changes.routes || !changes.addresses.empty();
  if (routes || links || changes.forwarding) dirty_ = true;
}

// TAPs have none, and their holders change them at will. The bridge says something for each TAP;
// what of it matters for routes makes the segment dirty, and whoever repairs that asks anew.
bool RouteObserver::MayHaveRoutes(const Link& link) const {
  return link.kind != LinkKind::kTap && link.ifindex != bridge();
}

absl::Status RouteObserver::Look() {
  dirty_ = true;
  trouble_.reset();
  preferred_sources_.clear();
  SVNET_ASSIGN_OR_RETURN(uplink_, FindUplink(parts_.kernel));
  SVNET_RETURN_IF_ERROR(LookForGuests());
  dirty_ = false;
  return absl::OkStatus();
}

absl::Status RouteObserver::LookForGuests() {
  const std::optional<Example> example = FindExample();
  if (!example.has_value() || parts_.segment->IsDirty()) return absl::OkStatus();
  SVNET_ASSIGN_OR_RETURN(const bool forwarding, parts_.kernel->IsForwarding());
  if (!forwarding) return absl::OkStatus();
  SVNET_RETURN_IF_ERROR(LookIn(*example, {.destination = example->address}));
  for (const Ipv4Address& destination : kInternet) {
    if (!trouble_.has_value()) SVNET_RETURN_IF_ERROR(LookOut(*example, destination));
  }
  return absl::OkStatus();
}

absl::Status RouteObserver::LookOut(const Example& guest, Ipv4Address destination) {
  SVNET_ASSIGN_OR_RETURN(const RouteAnswer own,
                         parts_.kernel->FindRoute({.destination = destination}));
  if (own.dropped || own.is_local) return absl::OkStatus();  // what the host has not, guests lack
  const RouteQuestion question = {
      .source = guest.address, .destination = destination, .in = guest.link};
  SVNET_ASSIGN_OR_RETURN(const RouteAnswer way, parts_.kernel->FindRoute(question));
  if (way.dropped) return ExplainDrop(guest, way, question);
  SVNET_RETURN_IF_ERROR(NotePreferredSource(way, destination));
  return LookIn(guest, {.source = destination, .destination = guest.address, .in = way.out});
}

absl::Status RouteObserver::LookIn(const Example& guest, const RouteQuestion& question) {
  SVNET_ASSIGN_OR_RETURN(const RouteAnswer way, parts_.kernel->FindRoute(question));
  if (way.dropped) return ExplainDrop(guest, way, question);
  if (way.is_local || way.out != guest.link) ExplainDiversion(guest, way);
  return absl::OkStatus();
}

absl::Status RouteObserver::NotePreferredSource(const RouteAnswer& way, Ipv4Address destination) {
  if (!way.preferred_source.has_value()) return absl::OkStatus();
  SVNET_ASSIGN_OR_RETURN(const std::vector<LinkAddress> addresses, parts_.kernel->ListAddresses());
  const std::optional<Ipv4Address> otherwise =
      MasqueradeAddress(addresses, way.out, way.gateway.value_or(destination));
  if (otherwise != way.preferred_source) preferred_sources_.emplace(way.out, *way.preferred_source);
  return absl::OkStatus();
}

absl::Status RouteObserver::ExplainDrop(const Example& guest, const RouteAnswer& answer,
                                        const RouteQuestion& question) {
  if (question.in != 0) {
    SVNET_ASSIGN_OR_RETURN(const bool forwards, parts_.kernel->IsForwarding(question.in));
    if (!forwards) {
      trouble_ = DoesNotForward(NameOf(question.in));
      return absl::OkStatus();
    }
  }
  const std::string from =
      question.source.value() == 0
          ? ""
          : absl::StrCat(" from ", question.source.ToString(), " iif ", NameOf(question.in));
  const bool out = question.in == guest.link;
  trouble_ = {.type = out ? "NO_ROUTE_OUT" : "NO_ROUTE_TO_GUESTS",
              .message = absl::StrCat(out ? "what guests send to the internet has no route, though "
                                            "the host itself has one: "
                                          : "what is sent to guests has no route: ",
                                      answer.why),
              .remedy = absl::StrCat("`ip rule` and `ip route get ",
                                     question.destination.ToString(), from, "` show why")};
  return absl::OkStatus();
}

void RouteObserver::ExplainDiversion(const Example& guest, const RouteAnswer& answer) {
  const std::string where = answer.is_local ? "stays on the host"
                                            : absl::StrCat("leaves by ", NameOf(answer.out),
                                                           " (route table ", answer.table, ")");
  const std::string remedy =
      answer.table == RT_TABLE_MAIN || answer.is_local
          ? absl::StrCat("`ip route get ", guest.address.ToString(),
                         "` shows the route: remove it, or set "
                         "another `subnet`")
          : absl::StrCat("`ip rule add priority 1 to ", settings_.prefix.ToString(),
                         " lookup main`: a rule of another program, a VPN perhaps, comes first");
  trouble_ = {.type = "NO_ROUTE_TO_GUESTS",
              .message = absl::StrCat("what is sent to guests ", where, ", and not by ",
                                      NameOf(guest.link), ": they get no answers"),
              .remedy = remedy};
}

void RouteObserver::AddConditions(std::vector<Condition>* conditions) const {
  if (trouble_.has_value() && parts_.book->leases().size() > 0) conditions->push_back(*trouble_);
}

std::optional<RouteObserver::Example> RouteObserver::FindExample() const {
  if (bridge() == 0) return std::nullopt;
  const auto& leases = parts_.book->leases().all();
  if (!leases.empty()) {
    const Lease& lease = leases.begin()->second;
    return Example{.address = lease.spec.ip, .link = parts_.segment->LinkOf(lease)};
  }
  if (settings_.kind == NetworkKind::kRouted) return std::nullopt;
  return Example{.address = Ipv4Address(GatewayOf(settings_.prefix).value() + 1), .link = bridge()};
}

Ifindex RouteObserver::bridge() const { return parts_.segment->gateway().ifindex; }

std::string RouteObserver::NameOf(Ifindex link) const {
  const absl::StatusOr<std::optional<Link>> found = parts_.kernel->FindLink(link);
  return found.ok() && found->has_value() ? (*found)->name : absl::StrCat("number ", link);
}

}  // namespace svnet
