// svnetctl as people and scripts run it, under real uids.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/eventually.h"
#include "tests/system/system_test.h"
#include "tests/system/tap_holder.h"

namespace svnet::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class SvnetctlTest : public SystemTest {
 protected:
  static Exited Svnetctl(const Daemon& svnetd, const RunAs& who,
                         std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {kSvnetctl, "--socket", svnetd.socket()});
    return RunProgramAs(who, arguments);
  }
};

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

TEST_F(SvnetctlTest, PrintsJsonWithTheFieldsOfTheTypeScriptTapDevice) {
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

TEST_F(SvnetctlTest, SaysThatALeaseExistedAlready) {
  Daemon svnetd = Start();
  const RunAs alice = Member(kAlice);
  EXPECT_THAT(Svnetctl(svnetd, alice, {"create", "vm1"}).out, Not(HasSubstr("existed")));
  const Exited again = Svnetctl(svnetd, alice, {"create", "vm1"});
  EXPECT_EQ(again.code, 0);
  EXPECT_THAT(again.out, HasSubstr("\nvm1 eth0 existed already\n"));
  EXPECT_THAT(Svnetctl(svnetd, alice, {"create", "vm1", "vm2"}).out,
              AllOf(HasSubstr("\nvm1 eth0 existed already\n"), Not(HasSubstr("vm2 eth0 existed"))));
  EXPECT_EQ(Svnetctl(svnetd, alice, {"create", "vm1", "--json"}).out,
            Svnetctl(svnetd, alice, {"show", "vm1", "--json"}).out);
}

TEST_F(SvnetctlTest, CreatesLeasesForOthersAsAnAdministrator) {
  Daemon svnetd = Start();
  EXPECT_EQ(Svnetctl(svnetd, kRoot, {"create", "vm1", "--owner", "1000"}).code, 0);
  const Exited list = Svnetctl(svnetd, Member(kAlice), {"list"});
  EXPECT_THAT(list.out, HasSubstr("svvm1eth0")) << list.err;
  EXPECT_EQ(Svnetctl(svnetd, Member(kBob), {"create", "vm2", "--owner", "1000"}).code, 1);
}

TEST_F(SvnetctlTest, TakesSeveralVmsAndSaysWhatFailed) {
  Daemon svnetd = Start({}, "[limits]\ntaps_per_user = 2\n");
  const RunAs alice = Member(kAlice);
  const Exited created = Svnetctl(svnetd, alice, {"create", "vm10", "vm2", "vm3"});
  EXPECT_EQ(created.code, 1);
  EXPECT_THAT(created.out, AllOf(HasSubstr("\nvm10 "), HasSubstr("\nvm2 ")));
  EXPECT_THAT(created.err,
              AllOf(StartsWith("svnetctl: vm3 eth0: "), HasSubstr("[QUOTA_EXCEEDED]")));
  EXPECT_EQ(Svnetctl(svnetd, alice, {"list", "-o", "name"}).out, "vm2\nvm10\n");
  EXPECT_THAT(Svnetctl(svnetd, alice, {"status"}).out, HasSubstr("your TAPs    2 of 2"));
  EXPECT_EQ(Svnetctl(svnetd, alice, {"remove", "vm2", "vm10", "vm2"}).out,
            "removed vm2 eth0\n"
            "removed vm10 eth0\n"
            "vm2 eth0 does not exist: nothing to remove\n");
}

// Two interfaces of a VM, and the way in which an earlier svnetctl took them.
TEST_F(SvnetctlTest, TakesTheInterfaceAsAnOption) {
  Daemon svnetd = Start();
  const RunAs alice = Member(kAlice);
  EXPECT_EQ(Svnetctl(svnetd, alice, {"create", "vm1", "--iface", "eth1"}).code, 0);
  const Exited earlier = Svnetctl(svnetd, alice, {"remove", "vm1", "eth1"});
  EXPECT_EQ(earlier.code, 2);
  EXPECT_THAT(earlier.err, HasSubstr("give the interface by --iface eth1"));
  EXPECT_EQ(Svnetctl(svnetd, alice, {"boot-args", "vm1"}).code, 1);
  EXPECT_EQ(Svnetctl(svnetd, alice, {"remove", "vm1", "--iface", "eth1"}).out,
            "removed vm1 eth1\n");
}

TEST_F(SvnetctlTest, AnAdministratorActsOnWhatItSees) {
  Daemon svnetd = Start();
  ASSERT_EQ(Svnetctl(svnetd, Member(kAlice), {"create", "vm1", "vm2"}).code, 0);
  EXPECT_THAT(Svnetctl(svnetd, kRoot, {"show", "vm1"}).out, HasSubstr("svvm1eth0"));
  EXPECT_THAT(Svnetctl(svnetd, kRoot, {"boot-args", "vm1"}).out, StartsWith("ip=172.30.0.2:"));
  EXPECT_EQ(Svnetctl(svnetd, Member(kBob), {"show", "vm1"}).code, 1);
  EXPECT_THAT(Svnetctl(svnetd, Member(kBob), {"remove", "vm1"}).out, HasSubstr("does not exist"));
  EXPECT_THAT(Svnetctl(svnetd, kRoot, {"remove", "vm1"}).out, StartsWith("removed vm1 eth0 of "));
  // An own lease of that name comes first.
  ASSERT_EQ(Svnetctl(svnetd, kRoot, {"create", "vm2"}).code, 0);
  EXPECT_EQ(Svnetctl(svnetd, kRoot, {"remove", "vm2"}).out, "removed vm2 eth0\n");
  EXPECT_THAT(Svnetctl(svnetd, kRoot, {"cleanup"}).out,
              AllOf(StartsWith("nothing to remove\nothers have TAPs: "), HasSubstr("--owner")));
  EXPECT_THAT(Svnetctl(svnetd, Member(kBob), {"cleanup", "--owner", "1000"}).err,
              HasSubstr("[PERMISSION_DENIED]"));
  EXPECT_EQ(Svnetctl(svnetd, kRoot, {"cleanup", "--owner", "1000"}).out, "removed 1 TAP\n");
}

TEST_F(SvnetctlTest, AsksAnAdministratorWhoseLeaseItIs) {
  Daemon svnetd = Start();
  ASSERT_EQ(Svnetctl(svnetd, Member(kAlice), {"create", "vm1"}).code, 0);
  ASSERT_EQ(Svnetctl(svnetd, Member(kBob), {"create", "vm1"}).code, 0);
  for (const char* command : {"show", "boot-args", "remove"}) {
    const Exited exited = Svnetctl(svnetd, kRoot, {command, "vm1"});
    EXPECT_EQ(exited.code, 1) << command;
    EXPECT_THAT(exited.err,
                AllOf(HasSubstr("several users have a vm1 eth0"), HasSubstr("--owner")));
  }
  EXPECT_EQ(Svnetctl(svnetd, kRoot, {"remove", "vm1", "--owner", "1001"}).code, 0);
  EXPECT_THAT(Svnetctl(svnetd, kRoot, {"remove", "vm1"}).out, StartsWith("removed vm1 eth0 of "));
}

TEST_F(SvnetctlTest, ListsInEachFormat) {
  Daemon svnetd = Start();
  const RunAs alice = Member(kAlice);
  const std::string uuid = "0b5f8a52-6f0c-4c7e-9a51-f2b2a1d0e9c4-of-a-long-name";
  ASSERT_EQ(Svnetctl(svnetd, alice, {"create", "vm10", "vm9", uuid}).code, 0);
  const std::string table = Svnetctl(svnetd, alice, {"list"}).out;
  EXPECT_LT(table.find("vm9"), table.find("vm10"));
  EXPECT_THAT(table,
              AllOf(StartsWith("VM "), HasSubstr("0b5f8a52-..long-name "), Not(HasSubstr(uuid))));
  EXPECT_THAT(Svnetctl(svnetd, alice, {"list", "-o", "wide"}).out, HasSubstr(uuid + " "));
  EXPECT_THAT(Svnetctl(svnetd, alice, {"list", "-o", "yaml", "--vm", "vm9"}).out,
              AllOf(StartsWith("taps:\n  - tapName: \""), HasSubstr("vmId: \"vm9\"")));
  EXPECT_EQ(Svnetctl(svnetd, alice, {"list", "-o", "json"}).out,
            Svnetctl(svnetd, alice, {"list", "--json"}).out);
  EXPECT_EQ(Svnetctl(svnetd, kRoot, {"list", "-o", "name", "--owner", "1001"}).out, "");
  EXPECT_EQ(Svnetctl(svnetd, kRoot, {"list", "-o", "name", "--attached"}).out, "");
}

TEST_F(SvnetctlTest, ListsNetworks) {
  Daemon svnetd = Start();
  const RunAs alice = Member(kAlice);
  EXPECT_THAT(Svnetctl(svnetd, alice, {"networks"}).out,
              AllOf(StartsWith("NAME "), HasSubstr("\ndefault  bridge  svbr0   172.30.0.0/24  ")));
  EXPECT_EQ(Svnetctl(svnetd, alice, {"networks", "-o", "name"}).out, "default\n");
  EXPECT_THAT(Svnetctl(svnetd, kRoot, {"networks", "--json"}).out,
              AllOf(StartsWith("{\n \"networks\": ["), HasSubstr("\"name\": \"default\"")));
}

TEST_F(SvnetctlTest, AsksForANetworkByItsName) {
  Daemon svnetd = Start();
  const RunAs alice = Member(kAlice);
  EXPECT_EQ(Svnetctl(svnetd, alice, {"create", "vm1", "--network", "default"}).code, 0);
  EXPECT_THAT(Svnetctl(svnetd, alice, {"show", "vm1"}).out,
              HasSubstr("\nnetwork        default\n"));
  EXPECT_EQ(Svnetctl(svnetd, alice, {"list", "-o", "name", "--network", "default"}).out, "vm1\n");
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"create", "vm2"}, {"list"}, {"list", "--watch"}, {"watch"}, {"status"}}) {
    std::vector<std::string> elsewhere = arguments;
    elsewhere.insert(elsewhere.end(), {"--network", "red"});
    const Exited exited = Svnetctl(svnetd, alice, elsewhere);
    EXPECT_EQ(exited.code, 1) << arguments[0];
    EXPECT_THAT(exited.err, AllOf(HasSubstr("[NETWORK_NOT_FOUND]"), HasSubstr("svnetctl networks")))
        << arguments[0];
  }
}

TEST_F(SvnetctlTest, ActsOnOneOfSeveralNetworks) {
  Daemon svnetd = Start({}, "[networks.red]\nbridge = \"svred0\"\nsubnet = \"172.31.0.0/24\"\n");
  const RunAs alice = Member(kAlice);
  EXPECT_EQ(Svnetctl(svnetd, alice, {"networks", "-o", "name"}).out, "default\nred\n");
  ASSERT_EQ(Svnetctl(svnetd, alice, {"create", "vm1"}).code, 0);
  EXPECT_THAT(Svnetctl(svnetd, alice, {"create", "vm2", "--network", "red"}).out,
              HasSubstr("172.31.0.2/24"));
  EXPECT_EQ(Svnetctl(svnetd, alice, {"list", "-o", "name"}).out, "vm1\nvm2\n");
  EXPECT_EQ(Svnetctl(svnetd, alice, {"list", "-o", "name", "--network", "red"}).out, "vm2\n");
  EXPECT_THAT(Svnetctl(svnetd, alice, {"status", "--network", "red"}).out,
              AllOf(StartsWith("network      red\n"), HasSubstr("\nother networks: default (")));
  EXPECT_EQ(Svnetctl(svnetd, alice, {"cleanup", "--of", "red"}).out, "removed 1 TAP\n");
  EXPECT_EQ(Svnetctl(svnetd, alice, {"list", "-o", "name"}).out, "vm1\n");
  EXPECT_THAT(Svnetctl(svnetd, kRoot, {"cleanup", "--network", "--of", "*"}).out,
              StartsWith("removed 1 TAP, "));
}

TEST_F(SvnetctlTest, PrintsErrorsAsJsonToo) {
  Daemon svnetd = Start();
  const RunAs alice = Member(kAlice);
  const Exited missing = Svnetctl(svnetd, alice, {"show", "vm1", "--json"});
  EXPECT_EQ(missing.code, 1);
  EXPECT_THAT(missing.out, HasSubstr("\"reason\": \"TAP_NOT_FOUND\""));
  const Exited usage = Svnetctl(svnetd, alice, {"create", "--json"});
  EXPECT_EQ(usage.code, 2);
  EXPECT_THAT(usage.out, StartsWith("{\n \"error\": {"));
  ASSERT_EQ(Svnetctl(svnetd, alice, {"create", "vm1"}).code, 0);
  EXPECT_EQ(Svnetctl(svnetd, alice, {"create", "vm1", "--json"}).out,
            Svnetctl(svnetd, alice, {"show", "vm1", "--json"}).out);
}

TEST_F(SvnetctlTest, RefusesEmptyValues) {
  Daemon svnetd = Start();
  for (const char* option : {"--ip", "--mac", "--iface", "--owner"}) {
    EXPECT_EQ(Svnetctl(svnetd, Member(kAlice), {"create", "vm1", option, ""}).code, 2) << option;
  }
  EXPECT_EQ(Svnetctl(svnetd, Member(kAlice), {"create", ""}).code, 2);
  EXPECT_EQ(Svnetctl(svnetd, Member(kAlice), {"list", "-o", "name"}).out, "");
}

// As `git log | head`.
TEST_F(SvnetctlTest, IsSilentWhenNobodyReadsItsOutput) {
  Daemon svnetd = Start();
  const std::string svnetctl = absl::StrCat(kSvnetctl, " --socket ", svnetd.socket());
  ASSERT_EQ(Svnetctl(svnetd, kRoot, {"create", "vm1", "vm2"}).code, 0);
  // Open to write to, and to read from it no more.
  const std::string pipe = folder() + "/pipe";
  const std::string open =
      absl::StrCat("mkfifo ", pipe, "; exec 3<>", pipe, " 4>", pipe, " 3<&-; rm ", pipe);
  for (const char* command : {"list", "list --json", "list --watch", "watch", "watch --json"}) {
    EXPECT_EQ(
        Shell(absl::StrCat(open, "; timeout 20 ", svnetctl, " ", command, " >&4 || echo exit $?")),
        "")
        << command;
  }
}

TEST_F(SvnetctlTest, AWatchEndsWithItsReaderThoughNothingHappens) {
  Daemon svnetd = Start();
  ASSERT_EQ(Svnetctl(svnetd, kRoot, {"create", "vm1"}).code, 0);
  for (const char* command : {"watch", "list --watch"}) {
    EXPECT_EQ(Shell(absl::StrCat("timeout 20 ", kSvnetctl, " --socket ", svnetd.socket(), " ",
                                 command, " | head -1 | wc -l; echo ${PIPESTATUS[0]}")),
              "1\n0\n")
        << command;
  }
}

TEST_F(SvnetctlTest, WaitsForWhatHappensToALease) {
  Daemon svnetd = Start();
  const RunAs alice = Member(kAlice);
  const Exited late = Svnetctl(svnetd, alice, {"wait", "vm1", "--attached", "--timeout", "1"});
  EXPECT_EQ(late.code, 1);
  EXPECT_THAT(late.err, HasSubstr("vm1 eth0 was not attached within 1 s"));
  EXPECT_EQ(Svnetctl(svnetd, alice, {"wait", "vm1", "--removed"}).out, "vm1 eth0 is removed\n");
  const v1::Tap tap = Client(svnetd.socket(), alice).MustCreate("vm1");
  EXPECT_EQ(Svnetctl(svnetd, alice, {"wait", "vm1", "--detached"}).out, "vm1 eth0 is detached\n");
  const TapHolder holder(tap, kAlice, 1);
  EXPECT_EQ(Svnetctl(svnetd, alice, {"wait", "vm1", "--attached"}).out, "vm1 eth0 is attached\n");
  EXPECT_THAT(Svnetctl(svnetd, alice, {"wait", "vm1", "--attached", "--json"}).out,
              HasSubstr("\"attached\": true"));
}

// A program in the background, whose output goes to files.
class Background {
 public:
  Background(const std::string& folder, const std::string& command)
      : out_(folder + "/out"), err_(folder + "/err") {
    pid_ = fork();
    if (pid_ != 0) return;
    const std::string script = absl::StrCat("exec ", command, " >", out_, " 2>", err_);
    execl("/bin/sh", "sh", "-c", script.c_str(), nullptr);
    _exit(127);
  }
  ~Background() {
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
  }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  bool Prints(const std::string& text) const {
    return Eventually([&] { return absl::StrContains(Read(out_), text); });
  }
  bool Says(const std::string& text) const {
    return Eventually([&] { return absl::StrContains(Read(err_), text); });
  }

 private:
  static std::string Read(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  std::string out_;
  std::string err_;
  pid_t pid_;
};

TEST_F(SvnetctlTest, WatchesOverARestart) {
  const std::vector<std::string> flags = {kSocketGroupFlag};
  std::optional<Daemon> svnetd;
  svnetd.emplace(folder(), flags);
  Client(svnetd->socket(), kRoot).MustCreate("vm1");
  const std::string svnetctl = absl::StrCat(kSvnetctl, " --socket ", svnetd->socket());
  Shell("mkdir " + folder() + "/events " + folder() + "/list");
  const Background events(folder() + "/events", svnetctl + " watch --json");
  const Background list(folder() + "/list", svnetctl + " list --watch -o name");
  EXPECT_TRUE(events.Prints("SNAPSHOT_END"));
  EXPECT_TRUE(list.Prints("vm1\n"));
  EXPECT_EQ(svnetd->Stop(SIGTERM), 0);
  EXPECT_TRUE(events.Says("connecting again"));
  svnetd.reset();
  svnetd.emplace(folder(), flags);
  Client(svnetd->socket(), kRoot).MustCreate("vm2");
  EXPECT_TRUE(events.Prints("\"vmId\":\"vm2\""));
  EXPECT_TRUE(events.Prints("\"time\":\"20"));
  EXPECT_TRUE(list.Prints("vm1\n\nvm1\nvm2\n"));
}

}  // namespace
}  // namespace svnet::testing
