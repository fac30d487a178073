// The doctor on a host with two networks.
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/system/doctor_test.h"

namespace svnet::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kRed[] = "[networks.red]\nbridge = \"svred0\"\nsubnet = \"172.31.0.0/24\"\n";

// `default` has a guest, and `red` has none.
class DoctorNetworksTest : public DoctorTest {
 protected:
  DoctorNetworksTest() {
    Shell("mkdir /etc/svnet");
    std::ofstream("/etc/svnet/svnetd.toml") << kRed;
    RestartSvnetd();
  }
};

TEST_F(DoctorNetworksTest, FindsNoProblemOnAHealthyHost) {
  EXPECT_EQ(Type("svnetctl create vm2 --network red"), 0);
  const Exited exited = Doctor(kRoot, {"--packet-test"});
  EXPECT_EQ(exited.code, 0) << exited.out;
  EXPECT_THAT(exited.out, AllOf(StartsWith("svnet works: "), Not(HasSubstr("conditions"))));
}

TEST_F(DoctorNetworksTest, FindsNoProblemWithNetworksOfBothKinds) {
  std::ofstream("/etc/svnet/svnetd.toml") << kRed << "kind = \"routed\"\n";
  RestartSvnetd();
  EXPECT_EQ(Type("svnetctl create vm2 --network red"), 0);
  const Exited exited = Doctor(kRoot, {"--packet-test", "--all"});
  EXPECT_EQ(exited.code, 0) << exited.out;
  EXPECT_THAT(exited.out, HasSubstr("networks default, red: a foreign address is stopped"));
  EXPECT_THAT(exited.out, Not(HasSubstr("network red: a foreign MAC")));
  // Alone in svnetd's tables.
  EXPECT_EQ(Type("svnetctl cleanup --network"), 0);
  const Exited alone = Doctor(kRoot, {"own-rules", "other-rules", "--network", "red"});
  EXPECT_EQ(alone.code, 0) << alone.out;
}

// The network, and with it its rules, comes into being with the lease of the test.
TEST_F(DoctorNetworksTest, ActsAsAGuestOfEachNetwork) {
  const Exited both = Doctor(kRoot, {"--packet-test", "packet-address"});
  EXPECT_EQ(both.code, 0) << both.out;
  EXPECT_THAT(both.out, HasSubstr("networks default, red: a foreign address is stopped"));
  const Exited red = Doctor(kRoot, {"--packet-test", "packet-nat", "--network", "red"});
  EXPECT_EQ(red.code, 0) << red.out;
  EXPECT_THAT(red.out, HasSubstr("network red: a guest's ping to 203.0.113.1 is answered"));
  EXPECT_EQ(Client(svnetd().socket(), kRoot).MustList().size(), 1u);
}

TEST_F(DoctorNetworksTest, NamesTheNetworkWhosePrefixTheHostHas) {
  EXPECT_EQ(Find("prefix").level, "ok");
  Shell("ip address add 172.31.0.200/28 dev up0");
  const Finding found = Find("prefix");
  EXPECT_EQ(found.level, "problem");
  EXPECT_THAT(found.message, StartsWith("network red: 172.31.0.0/24 overlaps "));
  EXPECT_EQ(Doctor(kRoot, {"prefix", "--network", "default"}).code, 0);
  EXPECT_EQ(Type(found.fix), 0) << found.fix;
  EXPECT_EQ(Find("prefix").level, "ok");
}

TEST_F(DoctorNetworksTest, RefusesANetworkThatThereIsNot) {
  const Exited blue = Doctor(kRoot, {"--network", "blue"});
  EXPECT_EQ(blue.code, 1);
  EXPECT_THAT(blue.err, HasSubstr("there is no network 'blue'"));
}

// A program that takes the rules away again and again, until svnetd leaves them so.
TEST_F(DoctorNetworksTest, NamesTheNetworkWhoseRulesAreMissing) {
  const OlderKernel kernel;
  RestartSvnetd();
  EXPECT_EQ(Type("svnetctl create vm2 --network red"), 0);
  EXPECT_EQ(Find("own-rules").level, "ok") << Find("own-rules").message;
  EXPECT_EQ(Type("end=$(($(date +%s) + 60)); "
                 "until svnetctl doctor own-rules | grep -q ^PROBLEM; do"
                 "  [ $(date +%s) -lt $end ] || exit 1;"
                 "  for i in 1 2 3 4 5 6 7 8; do"
                 "    nft flush chain inet svnet-svbr0 red/postrouting_source;"
                 "  done;"
                 "done"),
            0);
  const Finding found = Find("own-rules");
  EXPECT_EQ(
      found.message,
      "network red: chain red/postrouting_source of table inet svnet-svbr0 has lost its rules");
  EXPECT_EQ(Doctor(kRoot, {"own-rules", "--network", "default"}).code, 0);
  EXPECT_EQ(Type(found.fix), 0) << found.fix;
  EXPECT_EQ(Find("own-rules").level, "ok") << Find("own-rules").message;
}

}  // namespace
}  // namespace svnet::testing
