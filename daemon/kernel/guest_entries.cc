#include "daemon/kernel/guest_entries.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/entry_protocol.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"
#include "daemon/kernel/route_messages.h"
#include "daemon/netlink/netlink_error.h"

namespace svnet {
namespace {

rtmsg RouteHeader() {
  return {.rtm_family = AF_INET,
          .rtm_dst_len = 32,
          .rtm_table = RT_TABLE_MAIN,
          .rtm_protocol = kGuestEntryProtocol,
          .rtm_scope = RT_SCOPE_LINK,
          .rtm_type = RTN_UNICAST};
}

absl::Status IgnoreAbsent(const absl::Status& status) {
  const int error = ErrnoOf(status);
  return error == ENOENT || error == ENODEV || error == ESRCH ? absl::OkStatus() : status;
}

}  // namespace

NetlinkMessage NeighbourRequest(Ifindex link, const Neighbour& neighbour) {
  NetlinkMessage request(
      RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE,
      ndmsg{.ndm_family = AF_INET, .ndm_ifindex = link, .ndm_state = NUD_PERMANENT});
  request.Put(NDA_DST, htonl(neighbour.address.value()));
  request.Put(NDA_LLADDR, neighbour.mac.octets());
  request.Put(NDA_PROTOCOL, kGuestEntryProtocol);
  return request;
}

NetlinkMessage GuestRouteRequest(const GuestRoute& route, Ipv4Address gateway, int flags) {
  NetlinkMessage request(RTM_NEWROUTE, flags, RouteHeader());
  request.Put(RTA_DST, htonl(route.guest.value()));
  request.Put(RTA_OIF, route.tap);
  request.Put(RTA_PREFSRC, htonl(gateway.value()));
  return request;
}

absl::StatusOr<std::vector<std::pair<Ifindex, Neighbour>>> DumpNeighbours(NetlinkSocket& socket) {
  std::vector<std::pair<Ifindex, Neighbour>> neighbours;
  SVNET_RETURN_IF_ERROR(socket.Dump(
      [] { return NetlinkMessage(RTM_GETNEIGH, NLM_F_DUMP, ndmsg{.ndm_family = AF_INET}); },
      [&] { neighbours.clear(); },
      [&](const NetlinkReader& message) {
        const auto each = ParsePermanentNeighbour(message, kGuestEntryProtocol);
        if (each.has_value()) neighbours.push_back(*each);
      }));
  return neighbours;
}

absl::StatusOr<std::optional<MacAddress>> FindPermanentNeighbour(NetlinkSocket& socket,
                                                                 Ifindex link,
                                                                 Ipv4Address address) {
  NetlinkMessage request(RTM_GETNEIGH, 0, ndmsg{.ndm_family = AF_INET, .ndm_ifindex = link});
  request.Put(NDA_DST, htonl(address.value()));
  std::optional<MacAddress> mac;
  const absl::Status status = socket.Get(std::move(request), [&](const NetlinkReader& message) {
    const auto found = ParsePermanentNeighbour(message, kGuestEntryProtocol);
    if (found.has_value()) mac = found->second.mac;
  });
  SVNET_RETURN_IF_ERROR(IgnoreAbsent(status));
  return mac;
}

absl::Status DeleteNeighbour(NetlinkSocket& socket, Ifindex link, Ipv4Address address) {
  NetlinkMessage request(RTM_DELNEIGH, 0, ndmsg{.ndm_family = AF_INET, .ndm_ifindex = link});
  request.Put(NDA_DST, htonl(address.value()));
  return WithContext(absl::StrCat("neighbour ", address.ToString()),
                     IgnoreAbsent(socket.Transact(std::move(request))));
}

absl::StatusOr<std::vector<GuestRoute>> DumpGuestRoutes(NetlinkSocket& socket) {
  std::vector<GuestRoute> routes;
  SVNET_RETURN_IF_ERROR(socket.Dump(
      [] {
        // The kernel leaves the others out.
        return NetlinkMessage(RTM_GETROUTE, NLM_F_DUMP,
                              rtmsg{.rtm_family = AF_INET, .rtm_protocol = kGuestEntryProtocol});
      },
      [&] { routes.clear(); },
      [&](const NetlinkReader& message) {
        if (!IsGuestRoute(message)) return;
        if (const std::optional<Route> route = ParseRoute(message)) {
          routes.push_back({.tap = route->ifindex, .guest = route->destination.network()});
        }
      }));
  return routes;
}

absl::Status DeleteGuestRoute(NetlinkSocket& socket, const GuestRoute& route) {
  NetlinkMessage request(RTM_DELROUTE, 0, RouteHeader());
  request.Put(RTA_DST, htonl(route.guest.value()));
  request.Put(RTA_OIF, route.tap);
  return WithContext(absl::StrCat("route to ", route.guest.ToString()),
                     IgnoreAbsent(socket.Transact(std::move(request))));
}

absl::StatusOr<std::set<std::pair<Ifindex, MacAddress>>> DumpStaticMacs(NetlinkSocket& socket,
                                                                        Ifindex bridge) {
  std::set<std::pair<Ifindex, MacAddress>> macs;
  SVNET_RETURN_IF_ERROR(socket.Dump(
      [bridge] {
        NetlinkMessage request =
            NetlinkMessage(RTM_GETNEIGH, NLM_F_DUMP, ndmsg{.ndm_family = AF_BRIDGE});
        request.Put(NDA_MASTER, bridge);
        return request;
      },
      [&] { macs.clear(); },
      [&](const NetlinkReader& message) {
        KernelChanges entry;
        ParseNeighbourChange(message, &entry);
        for (const auto& [at, is_static] : entry.static_macs) {
          if (is_static) macs.insert(at);
        }
      }));
  return macs;
}

}  // namespace svnet
