#include "client/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace svnet::client {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::variant<Invocation, Report> Parse(std::vector<const char*> argv) {
  argv.insert(argv.begin(), "svnetctl");
  return ParseCommandLine(static_cast<int>(argv.size()), argv.data());
}

Invocation MustParse(const std::vector<const char*>& argv) {
  const auto parsed = Parse(argv);
  const auto* report = std::get_if<Report>(&parsed);
  EXPECT_EQ(report, nullptr) << report->standard_error;
  return std::get<Invocation>(parsed);
}

template <typename R>
std::string RequestOf(const std::vector<const char*>& argv) {
  return std::get<R>(std::get<Request>(MustParse(argv).command)).ShortDebugString();
}

std::string CreateOf(const std::vector<const char*>& argv) {
  return std::get<CreateLease>(std::get<Request>(MustParse(argv).command))
      .request.ShortDebugString();
}

std::string UsageErrorOf(const std::vector<const char*>& argv) {
  const auto parsed = Parse(argv);
  const auto* report = std::get_if<Report>(&parsed);
  if (report == nullptr) return "no error";
  EXPECT_EQ(report->exit_code, ExitCode::kUsage);
  EXPECT_EQ(report->standard_output, "");
  return report->standard_error;
}

class CommandLineTest : public ::testing::Test {
 protected:
  CommandLineTest() { unsetenv("SVNET_SOCKET"); }
};

TEST_F(CommandLineTest, ParsesEachCommandIntoItsRequest) {
  EXPECT_EQ(CreateOf({"create", "vm1"}), R"(vm_id: "vm1" iface_id: "eth0")");
  EXPECT_EQ(CreateOf({"create", "vm1", "eth1", "--ip", "10.0.0.2", "--mac", "02:00:00:00:00:01",
                      "--owner", "root", "--group", "44", "--queues", "4"}),
            R"(vm_id: "vm1" iface_id: "eth1" ip_address: "10.0.0.2" )"
            R"(mac_address: "02:00:00:00:00:01" owner_uid: 0 group_gid: 44 queues: 4)");
  EXPECT_EQ(RequestOf<v1::RemoveTapRequest>({"remove", "vm1"}), R"(vm_id: "vm1" iface_id: "eth0")");
  EXPECT_EQ(RequestOf<v1::RemoveTapRequest>({"remove", "--tap", "svvm1eth0"}),
            R"(tap_name: "svvm1eth0")");
  EXPECT_EQ(RequestOf<v1::GetBootArgsRequest>(
                {"boot-args", "--dns", "1.1.1.1", "vm1", "--dns=9.9.9.9", "--hostname", "web"}),
            R"(vm_id: "vm1" iface_id: "eth0" hostname: "web" dns_servers: "1.1.1.1" )"
            R"(dns_servers: "9.9.9.9")");
  EXPECT_EQ(RequestOf<v1::CleanupRequest>({"cleanup"}), "scope: CLEANUP_SCOPE_CALLER");
  EXPECT_EQ(RequestOf<v1::CleanupRequest>({"cleanup", "--network"}),
            "scope: CLEANUP_SCOPE_NETWORK");
  EXPECT_EQ(RequestOf<v1::ListTapsRequest>({"list"}), "");
  EXPECT_EQ(RequestOf<v1::ListTapsRequest>({"list", "--vm", "vm1"}), R"(vm_id: "vm1")");
  EXPECT_EQ(RequestOf<v1::UpdateTapRequest>(
                {"update", "vm1", "--lifetime", "process:7", "--if-generation", "3"}),
            R"(vm_id: "vm1" iface_id: "eth0" tap { lifetime { process { pid: 7 } } } )"
            R"(update_mask { paths: "lifetime" } if_generation: 3)");
  EXPECT_THAT(UsageErrorOf({"update", "vm1"}), HasSubstr("--lifetime is required"));
  EXPECT_EQ(RequestOf<v1::GetNetworkRequest>({"status"}), "");
  EXPECT_EQ(RequestOf<v1::GetMetricsRequest>({"metrics"}), "");
}

TEST_F(CommandLineTest, AcceptsFormatsOfCreateAndShow) {
  const auto create = std::get<CreateLease>(
      std::get<Request>(MustParse({"create", "vm1", "--format", "qemu"}).command));
  EXPECT_EQ(create.format, LeaseFormat::kQemu);
  const auto show = std::get<ShowLease>(
      std::get<Request>(MustParse({"show", "--tap", "svvm1eth0", "--format=env"}).command));
  EXPECT_EQ(show.format, LeaseFormat::kEnv);
  EXPECT_EQ(show.which.tap_name(), "svvm1eth0");
  EXPECT_THAT(UsageErrorOf({"show", "vm1", "--format", "xml"}),
              HasSubstr("table|json|env|firecracker|cloud-hypervisor|qemu|cloud-init"));
}

TEST_F(CommandLineTest, AcceptsLifetimesOfCreate) {
  EXPECT_EQ(CreateOf({"create", "vm1", "--lifetime", "process:7"}),
            R"(vm_id: "vm1" iface_id: "eth0" lifetime { process { pid: 7 } })");
  EXPECT_THAT(UsageErrorOf({"create", "vm1", "--lifetime", "for-ever"}),
              HasSubstr("'for-ever' is not a lifetime"));
}

TEST_F(CommandLineTest, PassesArgumentsAfterTheDashesToTheProgramOfRun) {
  const auto run = std::get<ProgramRun>(
      MustParse({"--socket", "/s", "run", "vm1", "--queues", "2", "--", "vmm", "--ip=", "--", "x"})
          .command);
  EXPECT_EQ(run.request.ShortDebugString(), R"(vm_id: "vm1" iface_id: "eth0" queues: 2)");
  EXPECT_EQ(run.program, (std::vector<std::string>{"vmm", "--ip=", "--", "x"}));
  EXPECT_THAT(UsageErrorOf({"run", "vm1"}), HasSubstr("run needs a program"));
  EXPECT_THAT(UsageErrorOf({"run", "vm1", "--"}), HasSubstr("run needs a program"));
  EXPECT_THAT(UsageErrorOf({"run", "vm1", "echo", "hi"}), HasSubstr("a program, after --"));
  EXPECT_THAT(UsageErrorOf({"run", "--", "vmm"}), HasSubstr("VM is required"));
}

TEST_F(CommandLineTest, EndsOptionsAtTheDashesOfOtherCommands) {
  EXPECT_EQ(CreateOf({"create", "--", "run", "--queues"}), R"(vm_id: "run" iface_id: "--queues")");
}

TEST_F(CommandLineTest, AcceptsHelpAsACommand) {
  const auto help = [](const std::vector<const char*>& argv) {
    const Report report = std::get<Report>(Parse(argv));
    EXPECT_EQ(report.exit_code, ExitCode::kDone);
    return report.standard_output;
  };
  EXPECT_EQ(help({"help"}), help({"--help"}));
  EXPECT_EQ(help({"help", "create"}), help({"create", "--help"}));
  EXPECT_EQ(help({"--socket", "/s", "help", "run"}), help({"run", "--help"}));
  EXPECT_THAT(UsageErrorOf({"help", "craete"}), HasSubstr("did you mean create?"));
}

TEST_F(CommandLineTest, SuggestsWhatWasMeantInUsageErrors) {
  EXPECT_THAT(UsageErrorOf({"lisst"}), HasSubstr("no command 'lisst': did you mean list?"));
  EXPECT_THAT(UsageErrorOf({"delete", "vm1"}), HasSubstr("did you mean remove?"));
  EXPECT_THAT(UsageErrorOf({"version"}), HasSubstr("did you mean --version?"));
  EXPECT_THAT(UsageErrorOf({}), HasSubstr("say what to do: create, show, update, run, "));
  EXPECT_THAT(UsageErrorOf({"create", "vm1", "eth0", "x"}),
              HasSubstr("'x' is one argument too many"));
  EXPECT_THAT(UsageErrorOf({"create", "vm1", "--queus=2"}),
              HasSubstr("there is no option --queus: did you mean --queues?"));
  EXPECT_THAT(UsageErrorOf({"status", "--sokcet", "/s"}), HasSubstr("did you mean --socket?"));
  EXPECT_THAT(UsageErrorOf({"xyzzy"}), Not(HasSubstr("did you mean")));
}

TEST_F(CommandLineTest, AcceptsGlobalOptionsBeforeAndAfterTheCommand) {
  const Invocation plain = MustParse({"status"});
  EXPECT_EQ(plain.socket, "/run/svnet/svnetd.sock");
  EXPECT_EQ(plain.timeout, absl::Seconds(30));
  EXPECT_EQ(plain.format, Format::kPeople);
  for (const auto& argv : std::vector<std::vector<const char*>>{
           {"--json", "--socket=/s", "--timeout", "5", "status"},
           {"status", "--json", "--socket", "/s", "--timeout=5"}}) {
    const Invocation invocation = MustParse(argv);
    EXPECT_EQ(invocation.socket, "/s");
    EXPECT_EQ(invocation.timeout, absl::Seconds(5));
    EXPECT_EQ(invocation.format, Format::kJson);
  }
}

TEST_F(CommandLineTest, ReadsTheSocketFromTheEnvironmentUnlessTheOptionIsGiven) {
  setenv("SVNET_SOCKET", "/from/environment", 1);
  EXPECT_EQ(MustParse({"status"}).socket, "/from/environment");
  EXPECT_EQ(MustParse({"status", "--socket", "/s"}).socket, "/s");
  unsetenv("SVNET_SOCKET");
}

TEST_F(CommandLineTest, ExitsSuccessfullyAfterHelpAndVersion) {
  const Report help = std::get<Report>(Parse({"--help"}));
  EXPECT_EQ(help.exit_code, ExitCode::kDone);
  for (const char* command : {"create", "show", "run", "remove", "list", "boot-args", "cleanup",
                              "status", "watch", "metrics"}) {
    EXPECT_THAT(help.standard_output, HasSubstr(command));
    EXPECT_EQ(std::get<Report>(Parse({command, "--help"})).exit_code, ExitCode::kDone);
  }
  EXPECT_EQ(std::get<Report>(Parse({"--version"})).standard_output, "svnetctl " SVNET_VERSION "\n");
}

TEST_F(CommandLineTest, NamesTheErrorAndTheHelpCommandInUsageErrors) {
  EXPECT_THAT(UsageErrorOf({}), HasSubstr("see: svnetctl --help"));
  EXPECT_THAT(UsageErrorOf({"destroy"}), StartsWith("svnetctl: there is no command 'destroy'"));
  EXPECT_THAT(UsageErrorOf({"create"}), HasSubstr("see: svnetctl create --help"));
  EXPECT_THAT(UsageErrorOf({"remove"}), HasSubstr("VM or --tap NAME"));
  EXPECT_THAT(UsageErrorOf({"remove", "vm1", "--tap", "x"}), HasSubstr("--tap"));
  EXPECT_THAT(UsageErrorOf({"create", "vm1", "--queues", "0"}), HasSubstr("queues"));
  EXPECT_THAT(UsageErrorOf({"create", "vm1", "--queues", "257"}), HasSubstr("queues"));
  EXPECT_THAT(UsageErrorOf({"create", "--ip=", "vm1"}), HasSubstr("--ip= needs a value"));
  EXPECT_THAT(UsageErrorOf({"create", "vm1", "--owner", "no-such-user"}),
              HasSubstr("there is no user 'no-such-user'"));
  EXPECT_THAT(UsageErrorOf({"create", "\xff"}), HasSubstr("'\\xff' is not UTF-8 text"));
  EXPECT_THAT(UsageErrorOf({"status", "--timeout", "0"}), HasSubstr("--timeout"));
  EXPECT_THAT(UsageErrorOf({"status", "--socket", std::string(108, 'x').c_str()}),
              HasSubstr("108 bytes"));
  EXPECT_THAT(UsageErrorOf({"list", "extra"}), HasSubstr("extra"));
}

}  // namespace
}  // namespace svnet::client
