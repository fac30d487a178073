// A route's MTU that is smaller than its link's, with nobody who says so.
#include <netinet/tcp.h>

#include "tests/system/guest_and_outside.h"

namespace svnet::testing {
namespace {

class SegmentSizeTest : public WithAllGuests<GuestAndOutsideTest> {};
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

}  // namespace
}  // namespace svnet::testing
