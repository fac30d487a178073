// svnetd as a service manager sees it: the socket it is given, reloads, the watchdog.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/eventually.h"
#include "tests/system/raw_call.h"
#include "tests/system/system_test.h"

namespace svnet::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// A socket as svnetd.socket makes it, of mode 0660 and the test's group.
UniqueFd Listen(const std::string& path, int type = SOCK_STREAM) {
  UniqueFd fd(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  sockaddr_un address = {.sun_family = AF_UNIX};
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(chown(path.c_str(), 0, kSocketGroup), 0);
  EXPECT_EQ(chmod(path.c_str(), 0660), 0);
  EXPECT_EQ(listen(fd.get(), SOMAXCONN) == 0, type == SOCK_STREAM);
  return fd;
}

class ServiceTest : public SystemTest {
 protected:
  const std::string path_ = folder() + "/systemds.sock";

  Daemon StartWith(const Supervision& supervision, const std::string& config = "") {
    return Daemon(folder(), {kSocketGroupFlag}, config, {}, supervision);
  }
};

TEST_F(ServiceTest, CallersWaitForItOnTheSocketThatSystemdPasses) {
  const UniqueFd listening = Listen(path_);
  for (const char* vm : {"vm1", "vm2"}) {
    Client alice(path_, Member(kAlice));  // connected, and svnetd does not run
    Client::Answer answer;
    std::thread call([&] { answer = alice.Create(vm); });
    Daemon svnetd = StartWith({.listening = listening.get()});
    call.join();
    EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
    EXPECT_EQ(ShellExitCode("test -e " + svnetd.socket()), 1);
    EXPECT_THAT(svnetd.log(), HasSubstr("is ignored (change svnetd.socket instead)"));
    EXPECT_EQ(svnetd.Stop(SIGTERM), 0);
    EXPECT_EQ(Shell("stat -c '%a %u %g' " + path_), "660 0 65534\n");
  }
}

// A caller who tries again must not have systemd start svnetd faster and faster, until it gives the
// socket up.
TEST_F(ServiceTest, AWrongConfigurationEndsWhenWaitingCallersAreClosed) {
  const UniqueFd listening = Listen(path_);
  const UniqueFd caller = ConnectAs(path_, Member(kAlice));
  const absl::Time before = absl::Now();
  Daemon svnetd = StartWith({.listening = listening.get()}, "subnett = 1\n");
  EXPECT_EQ(svnetd.exit_code(), 2);
  EXPECT_THAT(svnetd.log(), HasSubstr("did you mean subnet?"));
  EXPECT_GE(absl::Now() - before, absl::Seconds(1));
  EXPECT_EQ(ReceiveUntil(caller, "nothing ends it but the end"), "");
  pollfd waiting = {.fd = listening.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&waiting, 1, 0), 0);
}

TEST_F(ServiceTest, CheckSaysWhatIsWrongAndServesNobody) {
  const std::string file = folder() + "/svnetd.toml";
  Shell("echo 'subnet = 10.9.0.0/24' >" + file);
  const Exited wrong = RunProgram({kSvnetd, "--check", "--config", file});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.err, HasSubstr(file + ":1: subnet: 10.9.0.0/24 needs quotes"));
  Shell("echo 'subnet = \"10.9.0.0/24\"' >" + file);
  const Exited good = RunProgram({kSvnetd, "--check", "--config", file});
  EXPECT_EQ(good.code, 0);
  EXPECT_EQ(good.out, "svnetd: " + file + " has no errors\n");
}

TEST_F(ServiceTest, AReloadNamesWhatHasChanged) {
  Daemon svnetd = Start();
  svnetd.Reload("[limits]\ntaps_per_user = 7\n");
  EXPECT_TRUE(Eventually([&] { return absl::StrContains(svnetd.log(), "reloaded: "); }));
  EXPECT_THAT(svnetd.log(), HasSubstr("reloaded: taps_per_user\n"));
  svnetd.Reload("[limits]\ntaps_per_user = 7\n");
  EXPECT_TRUE(
      Eventually([&] { return absl::StrContains(svnetd.log(), "reloaded: nothing has changed"); }));
}

// As in a container without CAP_CHOWN.
TEST_F(ServiceTest, ASocketThatTheGroupCannotGetIsRootsAlone) {
  Daemon svnetd(folder(), {kSocketGroupFlag}, "",
                {"setpriv", "--bounding-set=-chown", "--inh-caps=-chown"});
  ASSERT_TRUE(svnetd.running()) << svnetd.log();
  EXPECT_EQ(Shell("stat -c '%a %u %g' " + svnetd.socket()), "600 0 0\n");
  EXPECT_THAT(svnetd.log(), HasSubstr("cannot give " + svnetd.socket() + " to group"));
  EXPECT_EQ(Client(svnetd.socket(), 0).MustGetNetwork().conditions(0).type(),
            "SOCKET_FOR_ROOT_ONLY");
}

TEST_F(ServiceTest, WhatIsNoListeningSocketIsRefused) {
  const UniqueFd datagrams = Listen(path_, SOCK_DGRAM);
  Daemon svnetd = StartWith({.listening = datagrams.get()});
  EXPECT_EQ(svnetd.exit_code(), 1);
  EXPECT_THAT(svnetd.log(), HasSubstr("look at svnetd.socket"));
}

TEST_F(ServiceTest, SaysThatAnAllowedUserCannotOpenTheSocketOfSystemd) {
  const UniqueFd listening = Listen(path_);
  Daemon svnetd =
      StartWith({.listening = listening.get()}, "[callers]\nallow_users = [\"1001\"]\n");
  EXPECT_TRUE(svnetd.running());
  EXPECT_THAT(svnetd.log(), HasSubstr("SocketMode=0666"));
  EXPECT_EQ(Shell("stat -c %a " + path_), "660\n");
}

TEST_F(ServiceTest, ACallerWhoHasConnectedBeforeItEndsCanStillCall) {
  const UniqueFd listening = Listen(path_);
  Daemon svnetd = StartWith({.listening = listening.get()});
  Client alice(path_, Member(kAlice));
  kill(svnetd.pid(), SIGTERM);
  ASSERT_TRUE(svnetd.WaitForNotification("STOPPING=1"));
  alice.MustCreate("vm1");
  EXPECT_EQ(svnetd.Stop(0), 0);  // no other signal: that would end it at once
}

TEST_F(ServiceTest, AReloadChangesLimits) {
  Daemon svnetd = Start({}, "[limits]\ntaps_per_user = 1\n");
  Client before(svnetd.socket(), Member(kAlice));
  before.MustCreate("vm1");
  EXPECT_EQ(ReasonOf(before.Create("vm2").status), "QUOTA_EXCEEDED");
  svnetd.Reload("[limits]\ntaps_per_user = 2\n");
  // Its connection had the old ones, and is ended.
  EXPECT_EQ(before.Create("vm2").status.error_code(), grpc::StatusCode::UNAVAILABLE);
  Client after(svnetd.socket(), Member(kAlice));
  EXPECT_EQ(after.MustList().size(), 1u);
  after.MustCreate("vm2");
  EXPECT_EQ(ReasonOf(after.Create("vm3").status), "QUOTA_EXCEEDED");
}

TEST_F(ServiceTest, AReloadChangesWhoMayCallAndTheSocketsMode) {
  const RunAs stranger = {.uid = kBob, .gid = kBob, .groups = {}};
  Daemon svnetd = Start();
  EXPECT_EQ(Shell("stat -c %a " + svnetd.socket()), "660\n");
  svnetd.Reload("[callers]\nallow_users = [\"1001\"]\n");
  EXPECT_EQ(Shell("stat -c %a " + svnetd.socket()), "666\n");
  Client(svnetd.socket(), stranger).MustCreate("vm1");
  svnetd.Reload("[callers]\nallow_users = [\"1002\"]\n");
  EXPECT_EQ(ReasonOf(Client(svnetd.socket(), stranger).Create("vm2").status), "PERMISSION_DENIED");
  // The socket's group is not [callers]': it stays.
  Client(svnetd.socket(), Member(kAlice)).MustCreate("vm1");
}

TEST_F(ServiceTest, AReloadChangesTheLogLevelAndNamesWhatItCannotChange) {
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  alice.MustList();
  EXPECT_THAT(svnetd.log(), Not(HasSubstr("ListTaps")));
  svnetd.Reload("log_level = \"debug\"\nsubnet = \"10.44.0.0/16\"\nmtu = 1280\n");
  alice.MustList();
  EXPECT_THAT(svnetd.log(), HasSubstr("ListTaps"));
  constexpr char kNeeded[] = "changed, but needs a restart to take effect: subnet, mtu";
  EXPECT_THAT(svnetd.log(), HasSubstr(kNeeded));
  const auto needed = alice.MustGetNetwork().conditions(0);
  EXPECT_EQ(needed.type(), "RESTART_NEEDED");
  EXPECT_EQ(needed.message(), kNeeded);
  svnetd.Reload("");
  EXPECT_EQ(alice.MustGetNetwork().conditions_size(), 0);
  EXPECT_EQ(alice.MustCreate("vm1").guest_ip(), "172.30.0.2");
}

TEST_F(ServiceTest, StatusShowsTheSettingsInForceBeforeAndAfterAReload) {
  Daemon svnetd = Start({}, "isolation = \"all\"\n[limits]\ntaps_per_user = 1\n");
  const auto status = [&](const RunAs& who, const std::vector<std::string>& options = {}) {
    std::vector<std::string> command = {kSvnetctl, "--socket", svnetd.socket(), "status"};
    command.insert(command.end(), options.begin(), options.end());
    return RunProgramAs(who, command).out;
  };
  const RunAs alice = Member(kAlice);
  EXPECT_THAT(status(alice), HasSubstr("settings that are not the default:\n"
                                       "  isolation = \"all\"\n"
                                       "  limits.taps_per_user = 1\n"
                                       "\n"
                                       "no problems known\n"));
  // What needs a restart keeps the value that it had.
  svnetd.Reload("isolation = \"none\"\nlog_level = \"debug\"\n[limits]\ntaps_per_user = 2\n");
  EXPECT_THAT(status(alice), AllOf(HasSubstr("  isolation = \"all\"\n"
                                             "  limits.taps_per_user = 2\n"
                                             "\n"),
                                   HasSubstr("RESTART_NEEDED")));
  EXPECT_THAT(status(kRoot), HasSubstr("  log_level = \"debug\"\n"));
  EXPECT_THAT(status(kRoot), HasSubstr(absl::StrCat("  socket = \"", svnetd.socket(), "\"\n")));
  EXPECT_THAT(status(kRoot, {"--json"}), HasSubstr("\"name\": \"host_access\""));
  svnetd.Reload("isolation = \"all\"\nsubnett = 1\n");
  EXPECT_THAT(status(alice), HasSubstr("  limits.taps_per_user = 2\n"));
}

TEST_F(ServiceTest, ABadReloadLeavesAllAsItWas) {
  Daemon svnetd = Start({}, "[limits]\ntaps_per_user = 1\n");
  svnetd.Reload("log_level = \"debug\"\n[limits]\ntaps_per_user = 5\ntaps = 3\n");
  EXPECT_THAT(svnetd.log(), HasSubstr("the old settings stay in force"));
  EXPECT_THAT(svnetd.log(), HasSubstr("svnetd.toml:4: limits.taps: unknown key"));
  Client alice(svnetd.socket(), Member(kAlice));
  const auto failed = Client(svnetd.socket(), 0).MustGetNetwork().conditions(0);
  EXPECT_EQ(failed.type(), "RELOAD_FAILED");
  EXPECT_THAT(failed.message(), HasSubstr("svnetd.toml:4: limits.taps: unknown key"));
  // The file may be root's alone.
  EXPECT_EQ(alice.MustGetNetwork().conditions(0).message(),
            "reload failed, the old settings stay in force");
  alice.MustCreate("vm1");
  EXPECT_EQ(ReasonOf(alice.Create("vm2").status), "QUOTA_EXCEEDED");
  alice.MustList();
  EXPECT_THAT(svnetd.log(), Not(HasSubstr("ListTaps")));
  svnetd.Reload("[limits]\ntaps_per_user = 2\n");
  Client after(svnetd.socket(), Member(kAlice));
  after.MustCreate("vm2");
  EXPECT_EQ(after.MustGetNetwork().conditions_size(), 0);
}

// A place where calls hang: what they read of the kernel is a pipe that nobody writes to.
class Hanging {
 public:
  explicit Hanging(const std::string& folder) : pipe_(folder + "/pipe") {
    Shell("mkfifo " + pipe_ + "; mount --bind " + pipe_ + " " + kRead);
  }
  ~Hanging() { End(); }
  void End() {
    if (ended_) return;
    ended_ = true;
    // Lazily: the hanging call has it open.
    Shell(absl::StrCat("umount --lazy ", kRead, "; echo 1 >", pipe_));
  }

 private:
  static constexpr char kRead[] = "/proc/sys/net/ipv4/ip_forward";
  const std::string pipe_;
  bool ended_ = false;
};

TEST_F(ServiceTest, TheWatchdogHearsNothingWhileCallsHang) {
  constexpr int kSilence = 1000;  // ms: of ten pings
  Daemon svnetd = StartWith({.watchdog_time_ms = 400});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(svnetd.WaitForNotification("WATCHDOG=1"));
  Client alice(svnetd.socket(), Member(kAlice));
  Hanging hanging(folder());
  Client::Answer answer;
  std::thread call([&] { answer = alice.Create("vm1"); });
  bool silent = false;
  // A ping or two may be on their way, and the call is.
  for (int i = 0; i < 100 && !silent; ++i) {
    silent = !svnetd.WaitForNotification("WATCHDOG=1", kSilence);
  }
  EXPECT_TRUE(silent);
  hanging.End();
  call.join();
  EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_TRUE(svnetd.WaitForNotification("WATCHDOG=1"));
}

TEST_F(ServiceTest, WithoutAWatchdogNobodyIsPinged) {
  Daemon svnetd = Start();
  EXPECT_FALSE(svnetd.WaitForNotification("WATCHDOG=1", 300));
}

}  // namespace
}  // namespace svnet::testing
