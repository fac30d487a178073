#include "daemon/kernel/host_routes.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cstring>
#include <optional>

#include "daemon/base/status_macros.h"
#include "daemon/kernel/route_messages.h"
#include "daemon/netlink/netlink_error.h"

namespace svnet {

absl::StatusOr<std::vector<LinkAddress>> DumpAddresses(NetlinkSocket& socket) {
  std::vector<LinkAddress> addresses;
  SVNET_RETURN_IF_ERROR(socket.Dump(
      [] { return NetlinkMessage(RTM_GETADDR, NLM_F_DUMP, ifaddrmsg{.ifa_family = AF_INET}); },
      [&] { addresses.clear(); },
      [&](const NetlinkReader& message) {
        if (std::optional<LinkAddress> address = ParseAddress(message)) {
          addresses.push_back(*address);
        }
      }));
  return addresses;
}

absl::StatusOr<std::vector<Route>> DumpRoutes(NetlinkSocket& socket) {
  std::vector<Route> routes;
  SVNET_RETURN_IF_ERROR(socket.Dump(
      [] { return NetlinkMessage(RTM_GETROUTE, NLM_F_DUMP, rtmsg{.rtm_family = AF_INET}); },
      [&] { routes.clear(); },
      [&](const NetlinkReader& message) {
        if (IsGuestRoute(message)) return;
        if (std::optional<Route> route = ParseRoute(message)) routes.push_back(*route);
      }));
  return routes;
}

// Two questions: what the kernel would do, and by which route.
absl::StatusOr<RouteAnswer> FindRoute(NetlinkSocket& socket, const RouteQuestion& question) {
  RouteAnswer answer;
  const absl::Status status =
      socket.Get(AskForRoute(question, 0),
                 [&](const NetlinkReader& message) { answer = ParseRouteAnswer(message); });
  if (IsRoutingRefusal(ErrnoOf(status))) {
    return RouteAnswer{.dropped = true, .why = std::strerror(ErrnoOf(status))};
  }
  SVNET_RETURN_IF_ERROR(status);
  // A kernel that does not say it, or a route that has just gone: then none is preferred.
  socket
      .Get(AskForRoute(question, RTM_F_FIB_MATCH),
           [&](const NetlinkReader& message) {
             answer.preferred_source = ParsePreferredSource(message);
           })
      .IgnoreError();
  return answer;
}

}  // namespace svnet
