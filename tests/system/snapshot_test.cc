// A real guest that is saved, and restored many times at once, by an unprivileged uid.
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/sandbox/internet.h"
#include "tests/system/real_guest.h"
#include "tests/system/system_test.h"
#include "tests/system/tap_guest.h"

namespace svnet::testing {
namespace {

using ::testing::HasSubstr;

constexpr int kRestored = 10;

class RealGuestSnapshotTest : public SystemTest {
 protected:
  Guests guests() const override { return {NetworkKind::kRouted, /*clones=*/true}; }

  // As kAlice: a guest on that TAP, with `settings` for run.sh.
  Exited Run(const v1::Tap& tap, const std::string& settings) const {
    return Boot(Member(kAlice), {.kind = "qemu",
                                 .tap = tap.tap_name(),
                                 .mac = tap.guest_view().mac(),
                                 .boot_args = boot_args_,
                                 .script = folder() + "/script",
                                 .settings = {settings, "GUEST_TIMEOUT=120"}});
  }
  std::string snapshot() const { return folder() + "/snapshot"; }

  // Of a guest on a TAP of its own, whose lease is over then. It knows its gateway's MAC.
  void Save(Client& alice) {
    const v1::Tap tap = MustCreateGuest(alice, "template");
    boot_args_ = alice.MustGetBootArgs(tap.tap_name());
    Shell(absl::StrCat("install --directory --owner=", kAlice, " ", snapshot()));
    const Exited saved = Run(tap, "GUEST_SAVE=" + snapshot());
    ASSERT_EQ(saved.code, 0) << saved.out << saved.err;
    ASSERT_TRUE(alice.MustRemove(tap.tap_name()));
  }
  std::vector<Exited> RestoreAtOnce(const std::vector<v1::Tap>& taps) const {
    std::vector<Exited> all(taps.size());
    std::vector<std::thread> threads;
    for (size_t i = 0; i < taps.size(); ++i) {
      threads.emplace_back([&, i] { all[i] = Run(taps[i], "GUEST_RESTORE=" + snapshot()); });
    }
    for (std::thread& each : threads) each.join();
    return all;
  }

 private:
  std::string boot_args_;
};

TEST_F(RealGuestSnapshotTest, EachOfManyReachesTheInternetAtOnceWithoutAskingForItsGateway) {
  const Internet internet;
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  std::ofstream(folder() + "/script") << R"(
ping -c 1 -w 20 10.0.0.1 >/dev/null || exit 1
stty -F /dev/ttyS0 -echo
echo "GUEST ready" >/dev/console
read -r go </dev/ttyS0
ping -c 1 -w 20 203.0.113.1 | grep "packets received"
ip -4 -o address show dev "$interface" | awk '{ print $4 }'
)";
  Save(alice);
  std::vector<v1::Tap> taps;
  for (int i = 0; i < kRestored; ++i) {
    taps.push_back(MustCreateGuest(alice, absl::StrCat("clone", i)));
  }
  Shell(
      "nft add table arp seen; nft add counter arp seen asked;"
      "nft 'add chain arp seen input { type filter hook input priority -300; }';"
      "nft add rule arp seen input arp daddr ip 10.0.0.1 counter name asked");
  for (const Exited& guest : RestoreAtOnce(taps)) {
    EXPECT_EQ(guest.code, 0) << guest.out << guest.err;
    EXPECT_EQ(guest.out, "1 packets transmitted, 1 packets received, 0% packet loss\n10.0.0.2/24\n")
        << guest.err;
  }
  EXPECT_THAT(Shell("nft list counter arp seen asked"), HasSubstr("packets 0 "));
  // QEMU has each say that it is here.
  EXPECT_GE(Counter("arp", "announcement"), kRestored);
  EXPECT_EQ(Counter("inet", "foreign_address"), 0);
}

}  // namespace
}  // namespace svnet::testing
