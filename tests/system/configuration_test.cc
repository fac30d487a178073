// What svnetd makes of its flags and its file.
#include "tests/system/system_test.h"

namespace svnet::testing {
namespace {

using ::testing::HasSubstr;

class ConfigurationTest : public SystemTest {};

TEST_F(ConfigurationTest, IsReadFromTheFileAndOverriddenByFlags) {
  Daemon svnetd = Start({"--mtu=1280"},
                        "bridge = \"br-vm\"\nsubnet = \"10.44.0.0/16\"\nmtu = 9000\n"
                        "log_level = \"debug\"\n");
  Client alice(svnetd.socket(), Member(kAlice));
  const v1::Tap tap = alice.MustCreate("vm1");
  EXPECT_EQ(tap.guest_ip(), "10.44.0.2");
  EXPECT_EQ(tap.mtu(), 1280u);
  EXPECT_THAT(Shell("ip -o link show br-vm"), HasSubstr("mtu 1280"));
}

TEST_F(ConfigurationTest, ReportsErrorsWithFileLineKeyAndAllowedValues) {
  Daemon svnetd = Start({}, "bridge = \"br-vm\"\n\nsubnet = \"10.44.0.1/16\"\n");
  EXPECT_FALSE(svnetd.running());
  EXPECT_EQ(svnetd.exit_code(), 2);
  EXPECT_THAT(svnetd.log(), HasSubstr("svnetd.toml:3: subnet: "));
  EXPECT_THAT(svnetd.log(), HasSubstr("did you mean 10.44.0.0/16?"));
}

TEST_F(ConfigurationTest, RefusesUnknownFlags) {
  Daemon svnetd = Start({"--brigde=x"});
  EXPECT_EQ(svnetd.exit_code(), 2);
}

TEST_F(ConfigurationTest, VersionAndHelp) {
  EXPECT_EQ(RunProgram({kSvnetd, "--version"}).out, "svnetd " SVNET_VERSION "\n");
  const Exited help = RunProgram({kSvnetd, "--help"});
  EXPECT_EQ(help.code, 0);
  for (const char* flag :
       {"--config", "--socket", "--socket-group", "--bridge", "--subnet", "--mtu", "--log-level"}) {
    EXPECT_THAT(help.out, HasSubstr(flag));
  }
}

}  // namespace
}  // namespace svnet::testing
