// svnetctl as the one who starts a VMM, and what it prints for VMMs.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "tests/eventually.h"
#include "tests/system/system_test.h"

namespace svnet::testing {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

class SvnetctlRunTest : public SystemTest {
 protected:
  SvnetctlRunTest() : svnetd_(Start()) {}

  Exited Svnetctl(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {kSvnetctl, "--socket", svnetd_.socket()});
    return RunProgramAs(Member(kAlice), arguments);
  }

  // As a child, which the test can send signals.
  pid_t StartSvnetctl(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(),
                     {"setpriv", "--reuid=1000", "--regid=1000", "--groups=65534", kSvnetctl,
                      "--socket", svnetd_.socket()});
    const pid_t child = fork();
    if (child == 0) {
      std::vector<char*> argv;
      for (const std::string& argument : arguments)
        argv.push_back(const_cast<char*>(argument.c_str()));
      argv.push_back(nullptr);
      execvp(argv[0], argv.data());
      _exit(127);
    }
    return child;
  }

  std::vector<v1::Tap> Taps() { return Client(svnetd_.socket(), Member(kAlice)).MustList(); }

  bool WaitForTap(bool attached) {
    return Eventually([&] {
      const std::vector<v1::Tap> taps = Taps();
      return taps.size() == 1 && taps[0].attached() == attached;
    });
  }

  Daemon svnetd_;
};

// QEMU with no guest: it opens the TAP and waits.
std::vector<std::string> Qemu() {
  return {"qemu-system-x86_64", "-accel", "tcg",     "-m",   "32", "-nodefaults",
          "-display",           "none",   "-serial", "none", "-S"};
}

// Run on the lease of a VM; it writes its pid to `pidfile`.
std::vector<std::string> RunQemu(const std::string& vm, const std::string& pidfile) {
  std::vector<std::string> command = {"run", vm, "--"};
  for (const std::string& argument : Qemu()) command.push_back(argument);
  command.insert(command.end(),
                 {"-netdev", "tap,id=n,ifname={tap},script=no,downscript=no", "-device",
                  "virtio-net-pci,netdev=n,mac={mac}", "-pidfile", pidfile});
  return command;
}

TEST_F(SvnetctlRunTest, PassesOutputAndExitCodeThroughAndLeavesNothing) {
  const std::string script =
      "echo {tap} {mac} {ip}/{prefix_length} {gateway} '{boot_args}'; "
      "grep -q 'TAP\\|svnet2' /sys/class/net/{tap}/ifalias; exit 42";
  const Exited exited =
      Svnetctl({"run", "vm1", "--lifetime", "persistent", "--", "sh", "-c", script});
  EXPECT_EQ(exited.code, 42) << exited.err;
  EXPECT_EQ(exited.out,
            "svvm1eth0 02:29:a3:2f:41:c8 172.30.0.2/24 172.30.0.1 "
            "ip=172.30.0.2::172.30.0.1:255.255.255.0::eth0:off\n");
  EXPECT_EQ(Taps().size(), 0);
}

TEST_F(SvnetctlRunTest, RunsQemuAndEndsItWithASignal) {
  std::vector<std::string> command = {"run", "vm1", "--lifetime", "persistent", "--"};
  for (const std::string& argument : Qemu()) command.push_back(argument);
  for (const char* argument : {"-netdev", "tap,id=n,ifname={tap},script=no,downscript=no",
                               "-device", "virtio-net-pci,netdev=n,mac={mac}"}) {
    command.push_back(argument);
  }
  const pid_t svnetctl = StartSvnetctl(command);
  ASSERT_TRUE(WaitForTap(true));
  kill(svnetctl, SIGTERM);
  int status = 0;
  waitpid(svnetctl, &status, 0);
  // QEMU ends in order, or, if it was not ready to, by the signal: both are its own end.
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_THAT(WEXITSTATUS(status), AnyOf(0, 128 + SIGTERM));
  EXPECT_EQ(Taps().size(), 0);
}

// As in a jail: the program has the TAP open, and never sees /dev/net/tun.
TEST_F(SvnetctlRunTest, PassesTheTapByItsDescriptor) {
  const Exited one = Svnetctl({"run", "vm1", "--", "sh", "-c", "grep iff: /proc/$$/fdinfo/{fd}"});
  EXPECT_EQ(one.code, 0) << one.err;
  EXPECT_EQ(one.out, "iff:\tsvvm1eth0\n");
  const Exited several =
      Svnetctl({"run", "vm2", "--queues", "3", "--", "sh", "-c",
                "echo {fd} {fds}; grep -ls svvm2eth0 /proc/$$/fdinfo/* || true"});
  EXPECT_EQ(several.code, 0) << several.err;
  const std::vector<std::string> lines = absl::StrSplit(several.out, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 4u) << several.out;
  const std::vector<std::string> both = absl::StrSplit(lines[0], ' ');
  EXPECT_EQ(std::vector<std::string>(absl::StrSplit(both[0], ',')).size(), 3u);
  EXPECT_EQ(absl::StrReplaceAll(both[0], {{",", ":"}}), both[1]);
  EXPECT_EQ(Taps().size(), 0);
}

TEST_F(SvnetctlRunTest, RunsQemuOnADescriptor) {
  std::vector<std::string> command = {"run", "vm1", "--"};
  for (const std::string& argument : Qemu()) command.push_back(argument);
  command.insert(command.end(),
                 {"-netdev", "tap,id=n,fd={fd}", "-device", "virtio-net-pci,netdev=n,mac={mac}"});
  const pid_t svnetctl = StartSvnetctl(command);
  ASSERT_TRUE(WaitForTap(true));
  // svnetctl itself has let go of it: QEMU's end is the end of the queue.
  EXPECT_EQ(Shell(absl::StrCat("grep -ls svvm1eth0 /proc/", svnetctl, "/fdinfo/* || true")), "");
  kill(svnetctl, SIGTERM);
  int status = 0;
  waitpid(svnetctl, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_THAT(WEXITSTATUS(status), AnyOf(0, 128 + SIGTERM));
  EXPECT_EQ(Taps().size(), 0);
}

// A VMM that goes into the background is not cut off when the program that was run has ended.
TEST_F(SvnetctlRunTest, LeavesATapThatIsHeldToItsLifetime) {
  Client alice(svnetd_.socket(), Member(kAlice));
  Watcher watcher(alice);
  Shell("mkdir -m 777 " + folder() + "/alice");
  std::vector<std::string> command = RunQemu("vm1", folder() + "/alice/qemu.pid");
  command.push_back("-daemonize");
  const Exited exited = Svnetctl(command);
  EXPECT_EQ(exited.code, 0) << exited.err;
  EXPECT_THAT(exited.err, HasSubstr("a process still has svvm1eth0 open: the lease ends when it"));
  EXPECT_EQ(Taps().size(), 1u);
  pid_t qemu = -1;
  std::ifstream(folder() + "/alice/qemu.pid") >> qemu;
  ASSERT_GT(qemu, 1);
  kill(qemu, SIGKILL);
  EXPECT_THAT(watcher.WaitFor(v1::TAP_EVENT_TYPE_REMOVED, "svvm1eth0").message(),
              HasSubstr("its process has ended"));
}

TEST_F(SvnetctlRunTest, PrintsArgumentsThatQemuAccepts) {
  for (const char* queues : {"1", "2"}) {
    const Exited created =
        Svnetctl({"create", absl::StrCat("q", queues), "--queues", queues, "--format", "qemu"});
    ASSERT_EQ(created.code, 0) << created.err;
    // It is told to quit before it starts: what it does not like it says before that.
    std::vector<std::string> command = {
        "sh", "-c", R"(echo '{"execute":"qmp_capabilities"}{"execute":"quit"}' | "$@")", "sh"};
    for (const std::string& argument : Qemu()) command.push_back(argument);
    for (const auto& argument :
         absl::StrSplit(created.out, absl::ByAnyChar(" \n"), absl::SkipEmpty())) {
      command.emplace_back(argument);
    }
    command.insert(command.end(), {"-qmp", "stdio"});
    const Exited qemu = RunProgramAs(Member(kAlice), command);
    EXPECT_EQ(qemu.code, 0) << qemu.err;
    EXPECT_EQ(qemu.err, "");
  }
}

TEST_F(SvnetctlRunTest, PrintsEnvThatAShellAccepts) {
  ASSERT_EQ(Svnetctl({"create", "vm1"}).code, 0);
  std::ofstream(folder() + "/env") << Svnetctl({"show", "vm1", "--format", "env"}).out;
  EXPECT_EQ(Shell(absl::StrCat(". ", folder(), "/env; echo $SVNET_TAP $SVNET_IP")),
            "svvm1eth0 172.30.0.2\n");
}

// These VMMs are not in Debian: what they document stands in tests/vectors/vmm_network.json.
TEST_F(SvnetctlRunTest, PrintsWhatFirecrackerAndCloudHypervisorDocument) {
  const auto understood = [&](const std::string& vm, const char* queues, const char* format) {
    const Exited printed =
        Svnetctl({"create", vm, "--iface", "net-0.1", "--queues", queues, "--format", format});
    EXPECT_EQ(printed.code, 0) << printed.err;
    std::ofstream(folder() + "/format") << printed.out;
    return Shell(absl::StrCat(SVNET_SOURCE "/tests/vectors/vmm_network.py ", format, " <", folder(),
                              "/format"));
  };
  EXPECT_THAT(understood("vm1", "1", "firecracker"),
              HasSubstr("\"host_dev_name\": \"svvm1net-0.\", \"iface_id\": \"net_0_1\"}"));
  EXPECT_THAT(understood("vm1", "1", "firecracker-restore"),
              HasSubstr("{\"host_dev_name\": \"svvm1net-0.\", \"iface_id\": \"net_0_1\"}"));
  EXPECT_THAT(understood("vm1", "1", "cloud-hypervisor"), HasSubstr("\"tap\": \"svvm1net-0.\"}"));
  // It is found again by the id that it was given.
  EXPECT_THAT(understood("vm1", "1", "cloud-hypervisor"), HasSubstr("\"id\": \"net-0.1\""));
  EXPECT_THAT(understood("vm2", "4", "cloud-hypervisor-restore"),
              HasSubstr("{\"id\": \"net-0.1\", \"num_fds\": 4}"));
  EXPECT_THAT(understood("vm2", "4", "cloud-hypervisor"), HasSubstr("\"num_queues\": 8, "));
}

TEST_F(SvnetctlRunTest, ShowsOnlyLeasesOfTheCaller) {
  ASSERT_EQ(Svnetctl({"create", "vm1"}).code, 0);
  EXPECT_THAT(Svnetctl({"show", "vm1"}).out, HasSubstr("lifetime       persistent"));
  EXPECT_EQ(Svnetctl({"show", "vm1", "--json"}).out.substr(0, 2), "{\n");
  const Exited bob = RunProgramAs(
      Member(kBob), {kSvnetctl, "--socket", svnetd_.socket(), "show", "--tap", "svvm1eth0"});
  EXPECT_EQ(bob.code, 1);
  EXPECT_THAT(bob.err, HasSubstr("[TAP_NOT_FOUND]"));
}

// kill -9 of svnetctl leaks nothing: the lease is bound to it. The program outlives it, and
// keeps its network until it lets go of the TAP.
TEST_F(SvnetctlRunTest, EndsTheLeaseWithTheProgramIfItIsKilled) {
  Client alice(svnetd_.socket(), Member(kAlice));
  Watcher watcher(alice);
  Shell("mkdir -m 777 " + folder() + "/alice");
  const pid_t svnetctl = StartSvnetctl(RunQemu("vm1", folder() + "/alice/qemu.pid"));
  ASSERT_TRUE(WaitForTap(true));
  kill(svnetctl, SIGKILL);
  waitpid(svnetctl, nullptr, 0);
  EXPECT_EQ(Taps().size(), 1u);  // QEMU holds it
  pid_t qemu = -1;
  std::ifstream(folder() + "/alice/qemu.pid") >> qemu;
  ASSERT_GT(qemu, 1);
  kill(qemu, SIGKILL);
  EXPECT_THAT(watcher.WaitFor(v1::TAP_EVENT_TYPE_REMOVED, "svvm1eth0").message(),
              HasSubstr("its process has ended"));
}

TEST_F(SvnetctlRunTest, PrintsWatchedEvents) {
  const pid_t watching = StartSvnetctl({"watch", "--json", "--no-reconnect"});
  // It has begun when svnetd says so.
  EXPECT_TRUE(Eventually([&] { return absl::StrContains(svnetd_.log(), "WatchTaps"); }));
  Client alice(svnetd_.socket(), Member(kAlice));
  alice.MustCreate("vm1");
  EXPECT_EQ(svnetd_.Stop(SIGTERM), 0);
  // Then it ends by itself, and says why.
  EXPECT_NE(waitpid(watching, nullptr, 0), -1);
}

}  // namespace
}  // namespace svnet::testing
