#include "tests/bench/namespaces.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <nftables/libnftables.h>
#include <sched.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "daemon/netlink/netlink_message.h"
#include "tests/bench/bench.h"
#include "tests/bench/command.h"

namespace svnet::bench {
namespace {

// The same in each namespace, as in the snapshot.
constexpr char kTap[] = "vmtap0";
constexpr char kGuest[] = "192.168.241.2";
constexpr char kTapAddress[] = "192.168.241.1";
constexpr int kTapPrefixLength = 29;
constexpr char kInside[] = "veth0";
constexpr int kVethPrefixLength = 30;

// Of the first link after lo in a new namespace, and of the second.
constexpr int kTapIndex = 2;
constexpr int kInsideIndex = 3;
// The index that the host's end of the pair gets: that of the first one.
constexpr int kFirstOutsideIndex = 1000;

std::string ToText(uint32_t address) {
  return absl::StrFormat("%d.%d.%d.%d", address >> 24, address >> 16 & 0xff, address >> 8 & 0xff,
                         address & 0xff);
}

uint32_t ParseAddress(const std::string& text) {
  in_addr address = {};
  if (inet_pton(AF_INET, text.c_str(), &address) != 1) Fail("address " + text);
  return address.s_addr;
}

// What is the clone's own.
struct Clone {
  explicit Clone(Number number)
      : name(absl::StrFormat("fc%04d", number)),
        outside(absl::StrFormat("veth%04d", number)),
        outside_index(kFirstOutsideIndex + number),
        outside_address(ToText(0x0a000001 + 4 * static_cast<uint32_t>(number))),
        inside_address(ToText(0x0a000002 + 4 * static_cast<uint32_t>(number))),
        address(ToText(0xac100001 + static_cast<uint32_t>(number))) {}

  std::string name;     // of its namespace
  std::string outside;  // the host's end of the veth pair
  int outside_index;
  std::string outside_address;
  std::string inside_address;
  std::string address;  // by which the host reaches the guest
};

UniqueFd OpenNamespace() {
  UniqueFd fd(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) Fail("/proc/thread-self/ns/net");
  return fd;
}

NetlinkSocket OpenSocket() {
  absl::StatusOr<NetlinkSocket> socket = NetlinkSocket::Open(NETLINK_ROUTE);
  if (!socket.ok()) Fail(socket.status().ToString());
  return *std::move(socket);
}

void Transact(NetlinkSocket& socket, std::vector<NetlinkMessage> requests) {
  for (const absl::Status& each : socket.TransactEach(std::move(requests))) {
    errno = 0;
    if (!each.ok()) Fail(each.ToString());
  }
}

void MakeTap() {
  const UniqueFd device(open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  if (!device.valid()) Fail("/dev/net/tun");
  ifreq name = {};
  name.ifr_flags = IFF_TAP | IFF_NO_PI;
  std::strncpy(name.ifr_name, kTap, IFNAMSIZ - 1);
  if (ioctl(device.get(), TUNSETIFF, &name) != 0) Fail("TUNSETIFF");
  if (ioctl(device.get(), TUNSETPERSIST, 1) != 0) Fail("TUNSETPERSIST");
}

// Both ends, by a socket in the clone's namespace. The kernel lets only this one be up at once.
NetlinkMessage MakeVeth(const Clone& clone, const UniqueFd& host) {
  NetlinkMessage request(
      RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
      ifinfomsg{.ifi_index = kInsideIndex, .ifi_flags = IFF_UP, .ifi_change = IFF_UP});
  request.PutText(IFLA_IFNAME, kInside);
  {
    const Nest info(&request, IFLA_LINKINFO);
    request.PutText(IFLA_INFO_KIND, "veth");
    const Nest data(&request, IFLA_INFO_DATA);
    const Nest peer(&request, VETH_INFO_PEER);
    const ifinfomsg outside = {.ifi_index = clone.outside_index};
    request.Append({reinterpret_cast<const char*>(&outside), sizeof(outside)});
    request.PutText(IFLA_IFNAME, clone.outside);
    request.Put(IFLA_NET_NS_FD, host.get());
  }
  return request;
}

NetlinkMessage SetUp(int link) {
  return {RTM_SETLINK, 0, ifinfomsg{.ifi_index = link, .ifi_flags = IFF_UP, .ifi_change = IFF_UP}};
}

NetlinkMessage AddAddress(int link, const std::string& address, int prefix_length) {
  NetlinkMessage request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL,
                         ifaddrmsg{.ifa_family = AF_INET,
                                   .ifa_prefixlen = static_cast<uint8_t>(prefix_length),
                                   .ifa_index = static_cast<uint32_t>(link)});
  request.Put(IFA_LOCAL, ParseAddress(address));
  request.Put(IFA_ADDRESS, ParseAddress(address));
  return request;
}

NetlinkMessage StartRoute(int prefix_length, const std::string& gateway) {
  NetlinkMessage request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL,
                         rtmsg{.rtm_family = AF_INET,
                               .rtm_dst_len = static_cast<uint8_t>(prefix_length),
                               .rtm_table = RT_TABLE_MAIN,
                               .rtm_protocol = RTPROT_BOOT,
                               .rtm_scope = RT_SCOPE_UNIVERSE,
                               .rtm_type = RTN_UNICAST});
  request.Put(RTA_GATEWAY, ParseAddress(gateway));
  return request;
}

NetlinkMessage RouteTo(const std::string& address, const std::string& gateway) {
  NetlinkMessage request = StartRoute(32, gateway);
  request.Put(RTA_DST, ParseAddress(address));
  return request;
}

void AddNat(const Clone& clone) {
  const std::unique_ptr<nft_ctx, decltype(&nft_ctx_free)> nft(nft_ctx_new(NFT_CTX_DEFAULT),
                                                              &nft_ctx_free);
  const std::string commands = absl::StrFormat(
      "table ip nat {"
      " chain postrouting { type nat hook postrouting priority 100;"
      " oifname %s ip saddr %s snat to %s; };"
      " chain prerouting { type nat hook prerouting priority -100;"
      " iifname %s ip daddr %s dnat to %s; }; }",
      kInside, kGuest, clone.address, kInside, clone.address, kGuest);
  errno = 0;
  if (nft == nullptr || nft_run_cmd_from_buffer(nft.get(), commands.c_str()) != 0) Fail("nftables");
}

}  // namespace

ShellNamespaceCandidate::ShellNamespaceCandidate() : NamespaceCandidate("netns by shell") {}

void ShellNamespaceCandidate::Create(Number number) {
  const Clone clone(number);
  const std::string inside = absl::StrCat("ip netns exec ", clone.name, " ");
  const std::vector<std::string> commands = {
      absl::StrCat("ip netns add ", clone.name),
      absl::StrCat(inside, "ip tuntap add name ", kTap, " mode tap"),
      absl::StrCat(inside, "ip addr add ", kTapAddress, "/", kTapPrefixLength, " dev ", kTap),
      absl::StrCat(inside, "ip link set ", kTap, " up"),
      absl::StrCat("ip link add name ", clone.outside, " type veth peer name ", kInside, " netns ",
                   clone.name),
      absl::StrCat(inside, "ip addr add ", clone.inside_address, "/", kVethPrefixLength, " dev ",
                   kInside),
      absl::StrCat(inside, "ip link set dev ", kInside, " up"),
      absl::StrCat("ip addr add ", clone.outside_address, "/", kVethPrefixLength, " dev ",
                   clone.outside),
      absl::StrCat("ip link set dev ", clone.outside, " up"),
      absl::StrCat(inside, "ip route add default via ", clone.outside_address),
      absl::StrCat(inside, "iptables -t nat -A POSTROUTING -o ", kInside, " -s ", kGuest,
                   " -j SNAT --to ", clone.address),
      absl::StrCat(inside, "iptables -t nat -A PREROUTING -i ", kInside, " -d ", clone.address,
                   " -j DNAT --to ", kGuest),
      absl::StrCat("ip route add ", clone.address, " via ", clone.inside_address),
  };
  RunShell(absl::StrJoin(commands, " && "));
}

void ShellNamespaceCandidate::Remove(Number number) {
  RunShell("ip netns delete " + Clone(number).name);
}

NetlinkNamespaceCandidate::NetlinkNamespaceCandidate()
    : NamespaceCandidate("netns by netlink"), host_(OpenNamespace()), socket_(OpenSocket()) {}

void NetlinkNamespaceCandidate::Create(Number number) {
  const Clone clone(number);
  if (unshare(CLONE_NEWNET) != 0) Fail("unshare(CLONE_NEWNET)");
  if (namespaces_.size() <= static_cast<size_t>(number)) namespaces_.resize(number + 1);
  namespaces_[number] = OpenNamespace();
  MakeTap();
  NetlinkSocket inside = OpenSocket();
  Transact(inside, {AddAddress(kTapIndex, kTapAddress, kTapPrefixLength), SetUp(kTapIndex),
                    MakeVeth(clone, host_),
                    AddAddress(kInsideIndex, clone.inside_address, kVethPrefixLength),
                    StartRoute(0, clone.outside_address)});
  AddNat(clone);
  Enter();
  Transact(socket_, {SetUp(clone.outside_index),
                     AddAddress(clone.outside_index, clone.outside_address, kVethPrefixLength),
                     RouteTo(clone.address, clone.inside_address)});
}

void NetlinkNamespaceCandidate::Remove(Number number) { namespaces_[number].Reset(); }

}  // namespace svnet::bench
