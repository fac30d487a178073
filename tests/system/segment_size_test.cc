// Ways to the outside with an MTU that is smaller than their first link's.
#include <netinet/tcp.h>
#include <sys/time.h>

#include <array>
#include <string>
#include <thread>

#include "tests/system/guest_and_outside.h"

namespace svnet::testing {
namespace {

class SegmentSizeTest : public WithAllGuests<GuestAndOutsideTest> {
 protected:
  ~SegmentSizeTest() override {
    ShellExitCode("ip netns delete server; ip netns delete middle");  // if there are any
  }

  // Moves the address outside to the namespace "server": behind the next hop comes one that is
  // reached by an MTU of 1,280 bytes, and behind that the server, whose link has 1,500.
  static void PutServerBehindANarrowHop() {
    Shell(
        "ip -n outside address delete 198.51.100.1/32 dev lo; ip netns add middle;"
        "ip netns add server; ip -n server link set lo up;"
        "ip -n outside link add narrow mtu 1280 type veth peer name narrow mtu 1280 netns middle;"
        "ip -n middle link add wide type veth peer name wide netns server;"
        "ip -n outside address add 192.0.2.1/30 dev narrow; ip -n outside link set narrow up;"
        "ip -n middle address add 192.0.2.2/30 dev narrow; ip -n middle link set narrow up;"
        "ip -n middle address add 192.0.2.5/30 dev wide; ip -n middle link set wide up;"
        "ip -n server address add 192.0.2.6/30 dev wide; ip -n server link set wide up;"
        "ip -n server address add 198.51.100.1/32 dev lo;"
        "ip -n outside route add 198.51.100.1 via 192.0.2.2;"
        "ip -n middle route add 198.51.100.1 via 192.0.2.6;"
        "ip -n middle route add default via 192.0.2.1;"
        "ip -n server route add default via 192.0.2.5;"
        "for each in outside middle; do ip netns exec $each sysctl -qw net.ipv4.ip_forward=1; "
        "done");
  }
};
INSTANTIATE_TEST_SUITE_P(Guests, SegmentSizeTest, ::testing::ValuesIn(kAllGuests), NameOfGuests);

int SegmentSizeOf(const UniqueFd& connection) {
  int size = 0;
  socklen_t length = sizeof(size);
  EXPECT_EQ(getsockopt(connection.get(), IPPROTO_TCP, TCP_MAXSEG, &size, &length), 0);
  return size;
}

TEST_P(SegmentSizeTest, FitsTheRouteInBothDirections) {
  constexpr int kHeaders = 40;
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  AddGuest(MustCreateGuest(alice, "vm1"));
  const Listener listener(2);
  {
    const auto [guest, outside] = listener.Connect();
    EXPECT_GT(SegmentSizeOf(guest), 1300);
    EXPECT_GT(SegmentSizeOf(outside), 1300);
  }
  Shell("ip route replace default via 203.0.113.1 mtu lock 1300");
  const auto [guest, outside] = listener.Connect();
  for (const UniqueFd* end : {&guest, &outside}) {
    EXPECT_LE(SegmentSizeOf(*end), 1300 - kHeaders);
    EXPECT_GT(SegmentSizeOf(*end), 1200);
  }
}

// How many bytes come until the other end closes, or nothing has come for a while.
size_t ReadAll(const UniqueFd& connection) {
  constexpr timeval kPatience = {.tv_sec = 10, .tv_usec = 0};
  setsockopt(connection.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
  std::array<char, 64 << 10> buffer;
  size_t sum = 0;
  ssize_t size = 0;
  while ((size = recv(connection.get(), buffer.data(), buffer.size(), 0)) > 0) {
    sum += static_cast<size_t>(size);
  }
  return sum;
}

// No rule about segments can know of that hop: the guest has to hear of it.
TEST_P(SegmentSizeTest, IsLearnedFromAHopFurtherOn) {
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  AddGuest(MustCreateGuest(alice, "vm1"));
  PutServerBehindANarrowHop();
  const Listener listener(1, "server");
  auto [guest, server] = listener.Connect();
  ASSERT_GT(SegmentSizeOf(guest), 1300);
  const std::string all(256 << 10, 'x');
  int size = 0;
  std::thread sending([&all, &size, end = &guest] {
    EXPECT_EQ(send(end->get(), all.data(), all.size(), 0), static_cast<ssize_t>(all.size()));
    size = SegmentSizeOf(*end);
    shutdown(end->get(), SHUT_WR);
  });
  EXPECT_EQ(ReadAll(server), all.size());
  shutdown(server.get(), SHUT_RDWR);
  sending.join();
  EXPECT_LE(size, 1280 - 40);
}

}  // namespace
}  // namespace svnet::testing
