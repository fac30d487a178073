#include "tests/bench/floor.h"

#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "tests/bench/bench.h"
#include "tests/sandbox/sandbox.h"

namespace svnet::bench {
namespace {

constexpr int kDumpBuffer = 64 << 10;      // bytes
constexpr int kEventBuffer = 512 << 20;    // bytes; the kernel counts a page and more an event
constexpr int kDestroyPatience = 120'000;  // ms
constexpr int kDeviceFlags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL;

UniqueFd OpenRouteSocket(uint32_t groups) {
  UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    Fail("netlink socket");
  }
  return fd;
}

// Before it is up: with IPv6 the kernel does for it, at each change of any link, what costs more
// with a thousand TAPs than all the rest.
void DisableIpv6(const std::string& tap) {
  const UniqueFd setting(
      open(("/proc/sys/net/ipv6/conf/" + tap + "/disable_ipv6").c_str(), O_WRONLY | O_CLOEXEC));
  if (setting.valid() && write(setting.get(), "1", 1) != 1) Fail("disable_ipv6 of " + tap);
}

void Control(const UniqueFd& tap, unsigned long request, unsigned long argument) {
  if (ioctl(tap.get(), request, argument) != 0) Fail("TUN ioctl");
}

}  // namespace

// One rtnetlink message.
class Floor::Request {
 public:
  template <typename Header>
  Request(uint16_t type, int flags, const Header& what) {
    header() = {.nlmsg_len = NLMSG_LENGTH(sizeof(Header)),
                .nlmsg_type = type,
                .nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags)};
    std::memcpy(NLMSG_DATA(&header()), &what, sizeof(what));
  }

  void Put(uint16_t type, const void* value, size_t size) {
    const rtattr attribute = {.rta_len = static_cast<uint16_t>(RTA_LENGTH(size)), .rta_type = type};
    char* end = bytes_.data() + NLMSG_ALIGN(header().nlmsg_len);
    std::memcpy(end, &attribute, sizeof(attribute));
    std::memcpy(end + RTA_LENGTH(0), value, size);
    header().nlmsg_len = NLMSG_ALIGN(header().nlmsg_len) + RTA_ALIGN(attribute.rta_len);
  }
  void Put(uint16_t type, uint32_t value) { Put(type, &value, sizeof(value)); }
  void Put(uint16_t type, const std::string& text) { Put(type, text.c_str(), text.size() + 1); }

  const char* data() const { return bytes_.data(); }
  size_t size() const { return reinterpret_cast<const nlmsghdr*>(bytes_.data())->nlmsg_len; }

 private:
  nlmsghdr& header() { return *reinterpret_cast<nlmsghdr*>(bytes_.data()); }

  alignas(nlmsghdr) std::array<char, 1024> bytes_ = {};
};

Floor::Floor() : socket_(OpenRouteSocket(0)) {
  const int on = 1;
  setsockopt(socket_.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
}

int Floor::MakeBridge(const std::string& name) {
  testing::Shell("ip link add " + name + " address c2:00:00:00:00:01 type bridge stp_state 0 " +
                 "forward_delay 0 mcast_snooping 0; ip link set " + name + " mtu 1501; " +
                 "ip link set " + name + " mtu 1500 up");
  return static_cast<int>(if_nametoindex(name.c_str()));
}

void Floor::CreateTap(const Tap& tap) {
  const UniqueFd device(open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  if (!device.valid()) Fail("/dev/net/tun");
  ifreq name = {};
  name.ifr_flags = static_cast<short>(kDeviceFlags);
  std::strncpy(name.ifr_name, tap.name.c_str(), IFNAMSIZ - 1);
  if (ioctl(device.get(), TUNSETIFF, &name) != 0) Fail("TUNSETIFF " + tap.name);
  Control(device, TUNSETOWNER, tap.owner);
  DisableIpv6(tap.name);
  Request request(RTM_SETLINK, NLM_F_ACK, ifinfomsg{.ifi_flags = IFF_UP, .ifi_change = IFF_UP});
  request.Put(IFLA_IFNAME, tap.name);
  request.Put(IFLA_IFALIAS, tap.alias);
  request.Put(IFLA_GROUP, tap.group);
  if (tap.bridge != 0) request.Put(IFLA_MASTER, static_cast<uint32_t>(tap.bridge));
  if (tap.routed_to == 0) {
    Transact({request}, "RTM_SETLINK " + tap.name);
  } else {
    const uint32_t ifindex = if_nametoindex(tap.name.c_str());
    Transact({request, RouteTo(tap, ifindex), NeighbourOf(tap, ifindex)}, "routes " + tap.name);
  }
  Control(device, TUNSETPERSIST, 1);
}

Floor::Request Floor::RouteTo(const Tap& tap, uint32_t ifindex) {
  Request request(RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
                  rtmsg{.rtm_family = AF_INET,
                        .rtm_dst_len = 32,
                        .rtm_table = RT_TABLE_MAIN,
                        .rtm_protocol = RTPROT_STATIC,
                        .rtm_scope = RT_SCOPE_LINK,
                        .rtm_type = RTN_UNICAST});
  request.Put(RTA_DST, tap.routed_to);
  request.Put(RTA_OIF, ifindex);
  return request;
}

Floor::Request Floor::NeighbourOf(const Tap& tap, uint32_t ifindex) {
  Request request(RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE,
                  ndmsg{.ndm_family = AF_INET,
                        .ndm_ifindex = static_cast<int>(ifindex),
                        .ndm_state = NUD_PERMANENT});
  request.Put(NDA_DST, tap.routed_to);
  std::array<uint8_t, 6> mac = {2};
  std::memcpy(&mac[2], &tap.routed_to, sizeof(tap.routed_to));
  request.Put(NDA_LLADDR, mac.data(), mac.size());
  return request;
}

void Floor::DeleteLink(const std::string& name) {
  Request request(RTM_DELLINK, NLM_F_ACK, ifinfomsg{});
  request.Put(IFLA_IFNAME, name);
  Transact({request}, "RTM_DELLINK " + name);
}

void Floor::DeleteGroup(uint32_t group) {
  Request request(RTM_DELLINK, NLM_F_ACK, ifinfomsg{});
  request.Put(IFLA_GROUP, group);
  Transact({request}, "RTM_DELLINK of a group");
}

int Floor::DumpLinks() {
  Request request(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{});
  request.Put(IFLA_EXT_MASK, uint32_t{RTEXT_FILTER_SKIP_STATS});
  if (send(socket_.get(), request.data(), request.size(), 0) < 0) Fail("netlink send");
  std::vector<char> buffer(kDumpBuffer);
  for (int links = 0;;) {
    ssize_t size = recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (size < 0) Fail("link dump");
    for (auto* each = reinterpret_cast<nlmsghdr*>(buffer.data()); NLMSG_OK(each, size);
         each = NLMSG_NEXT(each, size)) {
      if (each->nlmsg_type == NLMSG_DONE) return links;
      ++links;
    }
  }
}

void Floor::Transact(const std::vector<Request>& requests, const std::string& what) {
  std::vector<iovec> parts;
  parts.reserve(requests.size());
  for (const Request& each : requests) {
    parts.push_back({.iov_base = const_cast<char*>(each.data()), .iov_len = each.size()});
  }
  if (writev(socket_.get(), parts.data(), static_cast<int>(parts.size())) < 0) {
    Fail("netlink send");
  }
  for (size_t i = 0; i < requests.size(); ++i) {
    struct {
      nlmsghdr header;
      nlmsgerr result;
      char others[1024];
    } answer = {};
    if (recv(socket_.get(), &answer, sizeof(answer), 0) < 0) Fail("netlink receive");
    errno = -answer.result.error;
    if (errno != 0) Fail(what);
  }
}

DeletedLinks::DeletedLinks() : socket_(OpenRouteSocket(RTMGRP_LINK)) {
  if (setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kEventBuffer, sizeof(kEventBuffer)) !=
      0) {
    Fail("SO_RCVBUFFORCE");
  }
}

void DeletedLinks::Wait(int count) {
  std::vector<char> buffer(kDumpBuffer);
  while (count > 0) {
    pollfd wait = {.fd = socket_.get(), .events = POLLIN, .revents = 0};
    if (poll(&wait, 1, kDestroyPatience) != 1) Fail("links that were removed are still there");
    const ssize_t size = recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (size < 0) Fail("link events");  // ENOBUFS, too: then some are lost
    const auto* header = reinterpret_cast<const nlmsghdr*>(buffer.data());
    const auto* link = static_cast<const ifinfomsg*>(NLMSG_DATA(header));
    // A port that leaves its bridge is an event of the family AF_BRIDGE.
    if (header->nlmsg_type == RTM_DELLINK && link->ifi_family == AF_UNSPEC) --count;
  }
}

}  // namespace svnet::bench
