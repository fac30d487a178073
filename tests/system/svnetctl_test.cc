// svnetctl as people and scripts run it, under real uids.
#include "tests/system/system_test.h"

namespace svnet::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class SvnetctlTest : public SystemTest {
 protected:
  static Exited Svnetctl(const Daemon& svnetd, const RunAs& who,
                         std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {kSvnetctl, "--socket", svnetd.socket()});
    return RunProgramAs(who, arguments);
  }
};

constexpr RunAs kRoot = {.uid = 0, .gid = 0, .groups = {}};

TEST_F(SvnetctlTest, CreatesListsAndRemovesALease) {
  Daemon svnetd = Start();
  const RunAs alice = Member(kAlice);
  EXPECT_THAT(Svnetctl(svnetd, alice, {"create", "vm1"}).out, HasSubstr("svvm1eth0"));
  EXPECT_EQ(Svnetctl(svnetd, alice, {"boot-args", "vm1"}).out,
            "ip=172.30.0.2::172.30.0.1:255.255.255.0::eth0:off\n");
  EXPECT_THAT(Svnetctl(svnetd, alice, {"list"}).out, HasSubstr("172.30.0.2"));
  EXPECT_THAT(Svnetctl(svnetd, alice, {"status"}).out, HasSubstr("1 of 253 used"));
  EXPECT_EQ(Svnetctl(svnetd, alice, {"remove", "vm1"}).code, 0);
  EXPECT_EQ(Svnetctl(svnetd, alice, {"list", "--json"}).out,
            Svnetctl(svnetd, kRoot, {"list", "--json"}).out);
  EXPECT_EQ(Svnetctl(svnetd, kRoot, {"cleanup", "--network"}).code, 0);
}

TEST_F(SvnetctlTest, PrintsJsonWithTheFieldsOfTheAncestorsTapDevice) {
  Daemon svnetd = Start();
  const std::string json = Svnetctl(svnetd, Member(kAlice), {"create", "vm1", "--json"}).out;
  for (const char* field : {"\"tapName\": \"svvm1eth0\"", "\"guestIp\": \"172.30.0.2\"",
                            "\"gatewayIp\": \"172.30.0.1\"", "\"subnetMask\": \"255.255.255.0\"",
                            "\"mac\": \"02:29:a3:2f:41:c8\""}) {
    EXPECT_THAT(json, HasSubstr(field));
  }
}

TEST_F(SvnetctlTest, ExitsWithTheDocumentedCodes) {
  Daemon svnetd = Start();
  const RunAs alice = Member(kAlice);
  const Exited refused = Svnetctl(svnetd, alice, {"cleanup", "--network"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("[PERMISSION_DENIED]"));
  EXPECT_EQ(Svnetctl(svnetd, alice, {"create"}).code, 2);
  const Exited nobody = RunProgram({kSvnetctl, "--socket", folder() + "/nothing", "status"});
  EXPECT_EQ(nobody.code, 3);
  EXPECT_THAT(nobody.err, StartsWith("svnetctl: no svnetd at "));
}

TEST_F(SvnetctlTest, ExplainsHowToGetAccessToTheSocket) {
  Daemon svnetd = Start();
  const Exited refused = Svnetctl(svnetd, {.uid = kBob, .gid = kBob, .groups = {}}, {"status"});
  EXPECT_EQ(refused.code, 3);
  EXPECT_THAT(refused.err, HasSubstr("not allowed to open"));
  EXPECT_THAT(refused.err, HasSubstr("nogroup"));
}

TEST_F(SvnetctlTest, CreatesLeasesForOthersAsAnAdministrator) {
  Daemon svnetd = Start();
  EXPECT_EQ(Svnetctl(svnetd, kRoot, {"create", "vm1", "--owner", "1000"}).code, 0);
  const Exited list = Svnetctl(svnetd, Member(kAlice), {"list"});
  EXPECT_THAT(list.out, HasSubstr("svvm1eth0")) << list.err;
  EXPECT_EQ(Svnetctl(svnetd, Member(kBob), {"create", "vm2", "--owner", "1000"}).code, 1);
}

}  // namespace
}  // namespace svnet::testing
