// rtnetlink messages as the kernel sends them, and some that it never would.
#include "daemon/kernel/route_messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/neighbour.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>

#include <array>
#include <string>
#include <utility>

#include "daemon/kernel/link_monitor.h"
#include "tests/unit/values.h"

namespace svnet {
namespace {

using ::testing::ElementsAre;
using testing::Ip;
using ::testing::IsEmpty;
using testing::Mac;
using ::testing::Pair;
using testing::Prefix;

// A message of `type` to which attributes are appended.
class Message {
 public:
  template <typename Header>
  Message(int type, const Header& header) : message_(type, 0, header) {}

  template <typename Value>
  Message& Put(int type, const Value& value) {
    message_.Put(type, value);
    return *this;
  }
  Message& Put(int type, const std::string& text) {
    message_.PutText(type, text);
    return *this;
  }
  Message& Put(int type, Ipv4Address address) { return Put(type, htonl(address.value())); }
  Message& Put(int type, const MacAddress& mac) { return Put(type, mac.octets()); }
  template <typename Fill>
  Message& PutNest(int type, const Fill& fill) {
    const Nest nest(&message_, type);
    fill();
    return *this;
  }

  // Valid as long as the message is.
  NetlinkReader get() {
    absl::string_view bytes = message_.Finish(1, 0);
    return *NetlinkReader::Take(&bytes);
  }

 private:
  NetlinkMessage message_;
};

Message LinkMessage(int type, Ifindex link, unsigned flags = 0) {
  return {type, ifinfomsg{.ifi_family = AF_UNSPEC,
                          .__ifi_pad = 0,
                          .ifi_type = ARPHRD_ETHER,
                          .ifi_index = link,
                          .ifi_flags = flags,
                          .ifi_change = 0}};
}

Message AddressMessage(Ifindex link, uint8_t length, uint8_t family = AF_INET) {
  return {RTM_NEWADDR, ifaddrmsg{.ifa_family = family,
                                 .ifa_prefixlen = length,
                                 .ifa_flags = 0,
                                 .ifa_scope = 0,
                                 .ifa_index = static_cast<uint32_t>(link)}};
}

Message NeighbourMessage(int type, uint8_t family, Ifindex link, uint16_t state) {
  return {type, ndmsg{.ndm_family = family,
                      .ndm_pad1 = 0,
                      .ndm_pad2 = 0,
                      .ndm_ifindex = link,
                      .ndm_state = state,
                      .ndm_flags = 0,
                      .ndm_type = 0}};
}

Message RouteMessage(uint8_t length, uint8_t type = RTN_UNICAST, uint8_t family = AF_INET) {
  return {RTM_NEWROUTE, rtmsg{.rtm_family = family,
                              .rtm_dst_len = length,
                              .rtm_src_len = 0,
                              .rtm_tos = 0,
                              .rtm_table = RT_TABLE_MAIN,
                              .rtm_protocol = 0,
                              .rtm_scope = 0,
                              .rtm_type = type,
                              .rtm_flags = 0}};
}

// The TAP of a guest, on a bridge.
Message TapMessage(Ifindex link, uid_t owner) {
  Message message = LinkMessage(RTM_NEWLINK, link, IFF_UP);
  message.Put(IFLA_IFNAME, std::string("svvm1eth0")).Put(IFLA_MASTER, 7);
  message.PutNest(IFLA_LINKINFO, [&] {
    message.Put(IFLA_INFO_KIND, std::string("tun"));
    message.PutNest(IFLA_INFO_DATA, [&] {
      message.Put<uint8_t>(IFLA_TUN_TYPE, IFF_TAP).Put<uint32_t>(IFLA_TUN_OWNER, owner);
      message.Put<uint8_t>(IFLA_TUN_PERSIST, 1).Put<uint8_t>(IFLA_TUN_MULTI_QUEUE, 1);
      message.Put<uint32_t>(IFLA_TUN_NUM_QUEUES, 2);
      message.Put<uint32_t>(IFLA_TUN_NUM_DISABLED_QUEUES, 1);
    });
  });
  return message;
}

TEST(RouteMessagesTest, ReadsALink) {
  Message message = LinkMessage(RTM_NEWLINK, 8, IFF_UP);
  message.Put(IFLA_IFNAME, std::string("eth0")).Put(IFLA_IFALIAS, std::string("the uplink"));
  message.Put(IFLA_ADDRESS, Mac("02:29:a3:2f:41:c8"));
  message.Put<uint32_t>(IFLA_MTU, 1500).Put<uint32_t>(IFLA_GROUP, 100).Put(IFLA_MASTER, 7);
  message.Put<uint8_t>(IFLA_CARRIER, 1).Put<uint32_t>(IFLA_CARRIER_UP_COUNT, 3);
  const Link expected = {.ifindex = 8,
                         .name = "eth0",
                         .alias = "the uplink",
                         .master = 7,
                         .mac = Mac("02:29:a3:2f:41:c8"),
                         .mtu = 1500,
                         .group = 100,
                         .up = true,
                         .carrier = true,
                         .carrier_ups = 3};
  EXPECT_EQ(ParseLink(message.get()), expected);
}

TEST(RouteMessagesTest, ReadsWhatOnlyTapsHave) {
  const Link tap = ParseLink(TapMessage(8, 1000).get());
  EXPECT_EQ(tap.kind, LinkKind::kTap);
  EXPECT_EQ(tap.owner, 1000u);
  EXPECT_EQ(tap.group_gid, std::nullopt);
  EXPECT_TRUE(tap.persistent);
  EXPECT_TRUE(tap.multi_queue);
  EXPECT_EQ(tap.open_queues, 3u);
}

TEST(RouteMessagesTest, ATunDeviceIsNotATap) {
  Message message = LinkMessage(RTM_NEWLINK, 8);
  message.PutNest(IFLA_LINKINFO, [&] {
    message.Put(IFLA_INFO_KIND, std::string("tun"));
    message.PutNest(IFLA_INFO_DATA, [&] { message.Put<uint8_t>(IFLA_TUN_TYPE, IFF_TUN); });
  });
  EXPECT_EQ(ParseLink(message.get()).kind, LinkKind::kOther);
}

// What is absent, too short or not terminated does not lead past the message's end.
TEST(RouteMessagesTest, ALinkThatLacksAttributesReadsAsZero) {
  EXPECT_EQ(ParseLink(LinkMessage(RTM_NEWLINK, 8).get()), Link{.ifindex = 8});
  Message message = LinkMessage(RTM_NEWLINK, 8);
  message.Put<uint16_t>(IFLA_MTU, 1500).Put<uint16_t>(IFLA_ADDRESS, 1);
  message.Put(IFLA_IFNAME, std::array{'e', 't', 'h'});
  EXPECT_EQ(ParseLink(message.get()), (Link{.ifindex = 8, .name = "eth"}));
}

TEST(RouteMessagesTest, APortIsPinnedIfItHasAllThreeSettings) {
  const auto is_pinned = [](uint8_t learning, uint8_t flood, uint16_t groups) {
    Message message = LinkMessage(RTM_NEWLINK, 8);
    message.PutNest(IFLA_PROTINFO, [&] {
      message.Put(IFLA_BRPORT_LEARNING, learning).Put(IFLA_BRPORT_UNICAST_FLOOD, flood);
      message.Put(IFLA_BRPORT_GROUP_FWD_MASK, groups);
    });
    return ParsePortPinned(message.get());
  };
  EXPECT_TRUE(is_pinned(0, 0, kForwardedGroups));
  EXPECT_FALSE(is_pinned(1, 0, kForwardedGroups));
  EXPECT_FALSE(is_pinned(0, 1, kForwardedGroups));
  EXPECT_FALSE(is_pinned(0, 0, 0));
  EXPECT_FALSE(ParsePortPinned(LinkMessage(RTM_NEWLINK, 8).get()));
}

TEST(RouteMessagesTest, ReadsAnAddressAndWhatIsOnLinkByIt) {
  Message message = AddressMessage(7, 24);
  message.Put(IFA_ADDRESS, Ip("172.30.0.1")).Put(IFA_LOCAL, Ip("172.30.0.1"));
  message.Put<uint8_t>(IFA_PROTO, 42);
  const LinkAddress expected = {
      .ifindex = 7, .address = Ip("172.30.0.1"), .prefix = Prefix("172.30.0.0/24")};
  EXPECT_EQ(ParseAddress(message.get()), expected);
  EXPECT_EQ(ParseAddressProtocol(message.get()), 42);
}

TEST(RouteMessagesTest, ThePeerOfAPointToPointLinkIsOnLink) {
  Message message = AddressMessage(7, 32);
  message.Put(IFA_ADDRESS, Ip("10.0.0.2")).Put(IFA_LOCAL, Ip("10.0.0.1"));
  const LinkAddress expected = {
      .ifindex = 7, .address = Ip("10.0.0.1"), .prefix = Prefix("10.0.0.2/32")};
  EXPECT_EQ(ParseAddress(message.get()), expected);
}

TEST(RouteMessagesTest, IgnoresAddressesThatAreNotIpv4) {
  EXPECT_EQ(ParseAddress(AddressMessage(7, 64, AF_INET6).get()), std::nullopt);
  EXPECT_EQ(ParseAddress(AddressMessage(7, 24).get()), std::nullopt);
  Message too_long = AddressMessage(7, 33);
  EXPECT_EQ(ParseAddress(too_long.Put(IFA_LOCAL, Ip("10.0.0.1")).get()), std::nullopt);
}

TEST(RouteMessagesTest, ReadsPermanentNeighboursOfOneProtocol) {
  const auto parse = [](Ifindex link, uint16_t state, uint8_t protocol) {
    Message message = NeighbourMessage(RTM_NEWNEIGH, AF_INET, link, state);
    message.Put(NDA_DST, Ip("172.30.0.2")).Put(NDA_LLADDR, Mac("02:29:a3:2f:41:c8"));
    message.Put(NDA_PROTOCOL, protocol);
    return ParsePermanentNeighbour(message.get(), 42);
  };
  const Neighbour expected = {.address = Ip("172.30.0.2"), .mac = Mac("02:29:a3:2f:41:c8")};
  EXPECT_EQ(parse(7, NUD_PERMANENT, 42), std::pair(7, expected));
  EXPECT_EQ(parse(7, NUD_REACHABLE, 42), std::nullopt);
  EXPECT_EQ(parse(7, NUD_PERMANENT, 0), std::nullopt);
}

TEST(RouteMessagesTest, ReadsRoutes) {
  Message message = RouteMessage(16);
  message.Put(RTA_DST, Ip("10.1.0.0")).Put(RTA_OIF, 3).Put<uint32_t>(RTA_PRIORITY, 100);
  const Route expected = {
      .destination = Prefix("10.1.0.0/16"), .ifindex = 3, .table = RT_TABLE_MAIN, .metric = 100};
  EXPECT_EQ(ParseRoute(message.get()), expected);
  EXPECT_EQ(ParseRoute(message.Put<uint32_t>(RTA_TABLE, 1000).get())->table, 1000u);
}

TEST(RouteMessagesTest, ADefaultRouteHasNoDestination) {
  Message message = RouteMessage(0);
  EXPECT_EQ(ParseRoute(message.Put(RTA_OIF, 3).get())->destination, Prefix("0.0.0.0/0"));
}

TEST(RouteMessagesTest, ARouteOfSeveralNextHopsLeadsToTheFirst) {
  Message message = RouteMessage(0);
  message.Put(
      RTA_MULTIPATH,
      rtnexthop{.rtnh_len = sizeof(rtnexthop), .rtnh_flags = 0, .rtnh_hops = 0, .rtnh_ifindex = 5});
  EXPECT_EQ(ParseRoute(message.get())->ifindex, 5);
}

TEST(RouteMessagesTest, IgnoresRoutesThatLeadNowhere) {
  EXPECT_EQ(ParseRoute(RouteMessage(8, RTN_BLACKHOLE).get()), std::nullopt);
  EXPECT_EQ(ParseRoute(RouteMessage(8, RTN_UNREACHABLE).get()), std::nullopt);
  EXPECT_EQ(ParseRoute(RouteMessage(64, RTN_UNICAST, AF_INET6).get()), std::nullopt);
  EXPECT_EQ(ParseRoute(RouteMessage(33).get()), std::nullopt);
}

template <typename... Messages>
KernelChanges Changes(Messages&&... messages) {
  KernelChanges changes;
  (AddChange(messages.get(), &changes), ...);
  return changes;
}

TEST(AddChangeTest, KeepsTheLastStateOfALink) {
  const KernelChanges changes =
      Changes(LinkMessage(RTM_NEWLINK, 8, IFF_UP), LinkMessage(RTM_NEWLINK, 8));
  EXPECT_FALSE(changes.links.at(8).up);
  EXPECT_THAT(changes.earlier_taps, IsEmpty());
}

// A holder who changes something and changes it back was seen.
TEST(AddChangeTest, KeepsEarlierStatesOfATapThatItsHolderChanged) {
  const KernelChanges changes =
      Changes(TapMessage(8, 1000), TapMessage(8, 1001), TapMessage(8, 1000));
  EXPECT_EQ(changes.links.at(8).owner, 1000u);
  ASSERT_EQ(changes.earlier_taps.size(), 2u);
  EXPECT_EQ(changes.earlier_taps[1].owner, 1001u);
}

TEST(AddChangeTest, ALinkThatIsGoneHasNoState) {
  const KernelChanges changes = Changes(LinkMessage(RTM_NEWLINK, 8), LinkMessage(RTM_DELLINK, 8));
  EXPECT_THAT(changes.links, IsEmpty());
  EXPECT_THAT(changes.gone, ElementsAre(8));
}

TEST(AddChangeTest, NotesLinksWhoseAddressesChanged) {
  Message message = AddressMessage(7, 24);
  EXPECT_THAT(Changes(message.Put(IFA_LOCAL, Ip("10.0.0.1"))).addresses, ElementsAre(7));
}

TEST(AddChangeTest, NotesNeighboursAsTheyWereLastSaidToBe) {
  const auto neighbour = [](int type, uint16_t state) {
    Message message = NeighbourMessage(type, AF_INET, 7, state);
    message.Put(NDA_DST, Ip("10.0.0.2")).Put(NDA_LLADDR, Mac("02:00:00:00:00:01"));
    return message;
  };
  const std::pair<Ifindex, Ipv4Address> key = {7, Ip("10.0.0.2")};
  EXPECT_THAT(Changes(neighbour(RTM_NEWNEIGH, NUD_PERMANENT)).neighbours,
              ElementsAre(Pair(key, Mac("02:00:00:00:00:01"))));
  EXPECT_THAT(
      Changes(neighbour(RTM_NEWNEIGH, NUD_PERMANENT), neighbour(RTM_DELNEIGH, NUD_PERMANENT))
          .neighbours,
      ElementsAre(Pair(key, std::nullopt)));
  EXPECT_THAT(Changes(neighbour(RTM_NEWNEIGH, NUD_STALE)).neighbours,
              ElementsAre(Pair(key, std::nullopt)));
}

TEST(AddChangeTest, NotesStaticEntriesOfBridges) {
  const auto entry = [](int type, uint16_t state) {
    Message message = NeighbourMessage(type, AF_BRIDGE, 8, state);
    message.Put(NDA_LLADDR, Mac("02:00:00:00:00:01"));
    return message;
  };
  const std::pair<Ifindex, MacAddress> key = {8, Mac("02:00:00:00:00:01")};
  EXPECT_THAT(Changes(entry(RTM_NEWNEIGH, NUD_NOARP)).static_macs, ElementsAre(Pair(key, true)));
  EXPECT_THAT(Changes(entry(RTM_NEWNEIGH, NUD_REACHABLE)).static_macs,
              ElementsAre(Pair(key, false)));
  EXPECT_THAT(Changes(entry(RTM_DELNEIGH, NUD_NOARP)).static_macs, ElementsAre(Pair(key, false)));
}

TEST(AddChangeTest, NotesForwardingOfAllLinksOnly) {
  const auto forwarding = [](int link, uint8_t family) {
    Message message(RTM_NEWNETCONF, netconfmsg{.ncm_family = family});
    message.Put(NETCONFA_IFINDEX, link).Put(NETCONFA_FORWARDING, 1);
    return Changes(message).forwarding;
  };
  EXPECT_TRUE(forwarding(NETCONFA_IFINDEX_ALL, AF_INET));
  EXPECT_FALSE(forwarding(NETCONFA_IFINDEX_DEFAULT, AF_INET));
  EXPECT_FALSE(forwarding(3, AF_INET));
  EXPECT_FALSE(forwarding(NETCONFA_IFINDEX_ALL, AF_INET6));
}

TEST(AddChangeTest, IgnoresMessagesOfOtherKinds) {
  Message message = RouteMessage(8);
  const KernelChanges changes = Changes(message.Put(RTA_OIF, 3));
  EXPECT_THAT(changes.links, IsEmpty());
  EXPECT_THAT(changes.addresses, IsEmpty());
  EXPECT_FALSE(changes.forwarding);
}

}  // namespace
}  // namespace svnet
