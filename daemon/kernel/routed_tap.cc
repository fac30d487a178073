#include "daemon/kernel/routed_tap.h"

#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/fault_point.h"
#include "daemon/kernel/guest_entries.h"
#include "daemon/kernel/link_requests.h"

namespace svnet {
namespace {

// The guest finds the gateway's MAC wherever it asks. What it sends has another source than its
// own address is dropped, by this too.
void PutRoutingSettings(NetlinkMessage* request) {
  const Nest families(request, IFLA_AF_SPEC);
  const Nest ipv4(request, AF_INET);
  const Nest settings(request, IFLA_INET_CONF);
  request->Put(IPV4_DEVCONF_RP_FILTER, uint32_t{1});
  request->Put(IPV4_DEVCONF_PROXY_ARP, uint32_t{1});
  request->Put(IPV4_DEVCONF_SEND_REDIRECTS, uint32_t{0});
  request->Put(IPV4_DEVCONF_ACCEPT_REDIRECTS, uint32_t{0});
}

NetlinkMessage SettingsRequest(Ifindex tap, const RoutedTapSpec& spec) {
  NetlinkMessage request(RTM_SETLINK, 0, ifinfomsg{.ifi_index = tap});
  request.Put(IFLA_ADDRESS, spec.mac.octets());
  request.Put(IFLA_MTU, spec.mtu);
  PutRoutingSettings(&request);
  return request;
}

NetlinkMessage NoIpv6AddressRequest(Ifindex tap) {
  NetlinkMessage request(RTM_SETLINK, 0, ifinfomsg{.ifi_index = tap});
  const Nest families(&request, IFLA_AF_SPEC);
  const Nest ipv6(&request, AF_INET6);
  request.Put(IFLA_INET6_ADDR_GEN_MODE, uint8_t{IN6_ADDR_GEN_MODE_NONE});
  return request;
}

// Otherwise the kernel answers for other guests after up to 0.8 s.
NetlinkMessage AnswerAtOnceRequest(Ifindex tap) {
  NetlinkMessage request(RTM_SETNEIGHTBL, 0, ndtmsg{.ndtm_family = AF_INET});
  request.PutText(NDTA_NAME, "arp_cache");
  const Nest parameters(&request, NDTA_PARMS);
  request.Put(NDTPA_IFINDEX, static_cast<uint32_t>(tap));
  request.Put(NDTPA_PROXY_DELAY, uint64_t{0});
  return request;
}

// In one message: it is up only if it is in its group, which is what the rules know it by. One
// that is down is, as long as it has an alias, one that somebody has set down.
NetlinkMessage MarkAndUpRequest(Ifindex tap, const RoutedTapSpec& spec) {
  NetlinkMessage request(RTM_SETLINK, 0,
                         ifinfomsg{.ifi_index = tap, .ifi_flags = IFF_UP, .ifi_change = IFF_UP});
  request.Put(IFLA_GROUP, spec.group);
  request.PutText(IFLA_IFALIAS, spec.alias);
  return request;
}

NetlinkMessage LeaveBridgeRequest(Ifindex tap) {
  NetlinkMessage request(RTM_SETLINK, 0, ifinfomsg{.ifi_index = tap});
  request.Put(IFLA_MASTER, Ifindex{0});
  return request;
}

// Requests that are sent together, and what each is for.
class Steps {
 public:
  // An error of it only costs more.
  void AddOptional(NetlinkMessage request) { Add("", std::move(request)); }
  void Add(std::string what, NetlinkMessage request) {
    requests_.push_back(std::move(request));
    what_.push_back(std::move(what));
  }

  // The first error of those that are not optional.
  absl::Status Take(NetlinkSocket& socket) {
    const std::vector<absl::Status> results = socket.TransactEach(std::move(requests_));
    for (size_t i = 0; i < results.size(); ++i) {
      if (!results[i].ok() && !what_[i].empty()) return WithContext(what_[i], results[i]);
    }
    return absl::OkStatus();
  }

 private:
  std::vector<NetlinkMessage> requests_;
  std::vector<std::string> what_;
};

void AddRouting(Ifindex tap, const RoutedTapSpec& spec, int flags, Steps* steps) {
  steps->Add("set the TAP up for routing", SettingsRequest(tap, spec));
  steps->AddOptional(AnswerAtOnceRequest(tap));
  steps->Add("bring the TAP up", MarkAndUpRequest(tap, spec));
  steps->Add(absl::StrCat("route to ", spec.address.ToString()),
             GuestRouteRequest({.tap = tap, .guest = spec.address}, spec.gateway, flags));
  steps->Add(absl::StrCat("neighbour ", spec.guest.address.ToString()),
             NeighbourRequest(tap, spec.guest));
}

}  // namespace

absl::Status RouteNewTap(NetlinkSocket& socket, Ifindex tap, const RoutedTapSpec& spec, bool ipv6) {
  Steps steps;
  steps.AddOptional(NoQueueRequest(tap));
  if (ipv6) steps.AddOptional(NoIpv6AddressRequest(tap));
  AddRouting(tap, spec, NLM_F_CREATE | NLM_F_EXCL, &steps);
  if (const absl::Status fault = FaultPoint("tap.route"); !fault.ok()) return fault;
  return steps.Take(socket);
}

absl::Status RouteTapAgain(NetlinkSocket& socket, Ifindex tap, const RoutedTapSpec& spec) {
  Steps steps;
  steps.Add("take the TAP off its bridge", LeaveBridgeRequest(tap));
  AddRouting(tap, spec, NLM_F_CREATE | NLM_F_REPLACE, &steps);
  if (const absl::Status fault = FaultPoint("tap.route"); !fault.ok()) return fault;
  return steps.Take(socket);
}

}  // namespace svnet
