#include "client/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace svnet::client {
namespace {

using ::testing::ElementsAre;
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

template <typename C>
C CommandOf(const std::vector<const char*>& argv) {
  return std::get<C>(std::get<Request>(MustParse(argv).command));
}

// The VMs, and the rest of the request.
std::string CreateOf(const std::vector<const char*>& argv) {
  const auto create = CommandOf<CreateLeases>(argv);
  return absl::StrCat(absl::StrJoin(create.vms, " "), ": ", create.request.ShortDebugString());
}

std::string Show(const LeaseName& name) {
  const std::string owner = name.owner.has_value() ? absl::StrCat(" of ", *name.owner) : "";
  return name.tap.empty() ? absl::StrCat(name.vm, " ", name.iface, owner) : name.tap;
}

// The leases that a command is about.
template <typename C>
std::vector<std::string> LeasesOf(const std::vector<const char*>& argv) {
  std::vector<std::string> leases;
  for (const LeaseName& name : EachOf(CommandOf<C>(argv).which)) leases.push_back(Show(name));
  return leases;
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
  EXPECT_EQ(CreateOf({"create", "vm1"}), R"(vm1: iface_id: "eth0")");
  EXPECT_EQ(CreateOf({"create", "vm1", "--iface", "eth1", "--ip", "10.0.0.2", "--mac",
                      "02:00:00:00:00:01", "--owner", "root", "--group", "44", "--queues", "4"}),
            R"(vm1: iface_id: "eth1" ip_address: "10.0.0.2" mac_address: "02:00:00:00:00:01" )"
            "owner_uid: 0 group_gid: 44 queues: 4");
  const auto boot_args = CommandOf<BootArgsOfLeases>(
      {"boot-args", "--dns", "1.1.1.1", "vm1", "--dns=9.9.9.9", "--hostname", "web"});
  EXPECT_EQ(boot_args.request.ShortDebugString(),
            R"(hostname: "web" dns_servers: "1.1.1.1" dns_servers: "9.9.9.9")");
  EXPECT_THAT(boot_args.which.vms, ElementsAre("vm1"));
  const auto update =
      CommandOf<UpdateLease>({"update", "vm1", "--lifetime", "process:7", "--if-generation", "3"});
  EXPECT_EQ(Show(update.which), "vm1 eth0");
  EXPECT_EQ(update.request.ShortDebugString(),
            R"(tap { lifetime { process { pid: 7 } } } update_mask { paths: "lifetime" } )"
            "if_generation: 3");
  EXPECT_THAT(UsageErrorOf({"update", "vm1"}), HasSubstr("--lifetime is required"));
  EXPECT_EQ(RequestOf<v1::GetNetworkRequest>({"status"}), "");
  EXPECT_EQ(RequestOf<v1::GetMetricsRequest>({"metrics"}), "");
}

TEST_F(CommandLineTest, TakesSeveralVmsAndTheInterfaceAsAnOption) {
  EXPECT_EQ(CreateOf({"create", "vm1", "vm2", "--iface=eth1"}), R"(vm1 vm2: iface_id: "eth1")");
  EXPECT_THAT(LeasesOf<RemoveLeases>({"remove", "vm1", "vm2", "--iface", "eth1"}),
              ElementsAre("vm1 eth1", "vm2 eth1"));
  EXPECT_THAT(LeasesOf<RemoveLeases>({"remove", "vm1", "--owner", "7"}),
              ElementsAre("vm1 eth0 of 7"));
  EXPECT_THAT(LeasesOf<RemoveLeases>({"remove", "--tap", "svvm1eth0"}), ElementsAre("svvm1eth0"));
  EXPECT_THAT(LeasesOf<ShowLeases>({"show", "vm1", "vm2"}), ElementsAre("vm1 eth0", "vm2 eth0"));
  EXPECT_THAT(LeasesOf<BootArgsOfLeases>({"boot-args", "vm1", "vm2"}),
              ElementsAre("vm1 eth0", "vm2 eth0"));
}

// "remove vm1 eth1" was the interface eth1 of vm1.
TEST_F(CommandLineTest, SaysWhereTheInterfaceGoesIfItIsGivenAsAnArgument) {
  for (const char* command : {"create", "show", "remove", "boot-args"}) {
    EXPECT_THAT(UsageErrorOf({command, "vm1", "eth1"}),
                HasSubstr("'eth1' looks like an interface: give the interface by --iface eth1"));
    EXPECT_EQ(UsageErrorOf({command, "eth1"}), "no error");
  }
  EXPECT_THAT(UsageErrorOf({"update", "vm1", "net0", "--lifetime", "persistent"}),
              HasSubstr("'net0' is one argument too many: give the interface by --iface"));
  EXPECT_THAT(UsageErrorOf({"wait", "vm1", "net0", "--attached"}), HasSubstr("by --iface"));
  EXPECT_THAT(UsageErrorOf({"run", "vm1", "net0", "--", "vmm"}), HasSubstr("by --iface"));
}

TEST_F(CommandLineTest, RefusesForSeveralVmsWhatIsForOne) {
  EXPECT_THAT(UsageErrorOf({"create", "vm1", "vm2", "--ip", "10.0.0.2"}), HasSubstr("one VM"));
  EXPECT_THAT(UsageErrorOf({"create", "vm1", "vm2", "--mac", "02:00:00:00:00:01"}),
              HasSubstr("one VM"));
  EXPECT_THAT(UsageErrorOf({"show", "vm1", "vm2", "--format", "env"}), HasSubstr("one VM"));
  EXPECT_EQ(UsageErrorOf({"show", "vm1", "vm2", "--format", "qemu"}), "no error");
}

// A script whose variable is empty must not get any address, or anybody's leases.
TEST_F(CommandLineTest, RefusesEmptyValues) {
  for (const auto& argv :
       std::vector<std::vector<const char*>>{{"create", ""},
                                             {"create", "vm1", ""},
                                             {"create", "vm1", "--ip", ""},
                                             {"create", "vm1", "--mac", ""},
                                             {"create", "vm1", "--iface", ""},
                                             {"remove", ""},
                                             {"remove", "--tap", ""},
                                             {"boot-args", "vm1", "--dns", ""},
                                             {"boot-args", "vm1", "--hostname", ""},
                                             {"list", "--vm", ""},
                                             {"status", "--network", ""},
                                             {"run", "", "--", "vmm"}}) {
    EXPECT_THAT(UsageErrorOf(argv), HasSubstr("the value is empty")) << argv[0];
  }
  for (const auto& argv : std::vector<std::vector<const char*>>{{"create", "vm1", "--owner", ""},
                                                                {"create", "vm1", "--queues", ""},
                                                                {"create", "vm1", "--format", ""},
                                                                {"list", "--output", ""},
                                                                {"status", "--socket", ""}}) {
    EXPECT_NE(UsageErrorOf(argv), "no error") << argv[0];
  }
}

TEST_F(CommandLineTest, AcceptsFiltersAndFormatsOfList) {
  const auto list =
      CommandOf<ListLeases>({"list", "--vm", "vm1", "--owner", "root", "--attached", "-o", "wide"});
  EXPECT_EQ(list.request.ShortDebugString(), R"(vm_id: "vm1")");
  EXPECT_EQ(list.owner, std::make_optional<uint32_t>(0));
  EXPECT_EQ(list.attached, std::make_optional(true));
  EXPECT_EQ(list.format, ListFormat::kWide);
  EXPECT_EQ(CommandOf<ListLeases>({"list", "--detached"}).attached, std::make_optional(false));
  EXPECT_THAT(UsageErrorOf({"list", "--attached", "--detached"}), HasSubstr("exclude each other"));
  EXPECT_THAT(UsageErrorOf({"list", "-o", "xml"}), HasSubstr("table|wide|name|json|yaml"));
  const auto watch = std::get<WatchRun>(MustParse({"list", "--watch", "--vm", "vm1"}).command);
  EXPECT_EQ(watch.list->request.vm_id(), "vm1");
}

TEST_F(CommandLineTest, AcceptsFormatsOfNetworks) {
  EXPECT_EQ(CommandOf<ListNetworks>({"networks"}).format, ListFormat::kTable);
  EXPECT_EQ(CommandOf<ListNetworks>({"networks", "-o", "name"}).format, ListFormat::kName);
  EXPECT_EQ(CommandOf<ListNetworks>({"networks", "--json"}).format, ListFormat::kJson);
  EXPECT_THAT(UsageErrorOf({"networks", "red"}), HasSubstr("one argument too many"));
}

TEST_F(CommandLineTest, TakesTheNetworkOfEachCommandThatHasOne) {
  EXPECT_EQ(CreateOf({"create", "vm1", "--network", "red"}),
            R"(vm1: iface_id: "eth0" network: "red")");
  const auto run =
      std::get<ProgramRun>(MustParse({"run", "vm1", "--network=red", "--", "vmm"}).command);
  EXPECT_EQ(run.request.network(), "red");
  EXPECT_EQ(CommandOf<ListLeases>({"list", "--network", "red"}).request.ShortDebugString(),
            R"(network: "red")");
  for (const auto& argv : std::vector<std::vector<const char*>>{
           {"watch", "--network", "red"}, {"list", "--watch", "--network", "red"}}) {
    EXPECT_EQ(std::get<WatchRun>(MustParse(argv).command).request.network(), "red") << argv[0];
  }
  EXPECT_EQ(RequestOf<v1::GetNetworkRequest>({"status", "--network", "red"}), R"(network: "red")");
}

TEST_F(CommandLineTest, TakesOneFormatOnly) {
  EXPECT_EQ(CommandOf<ListLeases>({"list", "--json"}).format, ListFormat::kJson);
  EXPECT_EQ(MustParse({"list", "-o", "json"}).format, Format::kJson);
  EXPECT_EQ(MustParse({"create", "vm1", "--format", "json"}).format, Format::kJson);
  EXPECT_EQ(MustParse({"show", "vm1", "--format", "json", "--json"}).format, Format::kJson);
  for (const auto& argv :
       std::vector<std::vector<const char*>>{{"list", "--json", "-o", "wide"},
                                             {"list", "--watch", "--json", "-o", "yaml"},
                                             {"networks", "--json", "-o", "name"},
                                             {"create", "vm1", "--json", "--format", "qemu"},
                                             {"show", "vm1", "--json", "--format", "env"}}) {
    const Report report = std::get<Report>(Parse(argv));
    EXPECT_THAT(report.standard_error, HasSubstr("exclude each other")) << argv[0];
  }
}

TEST_F(CommandLineTest, ParsesCleanupWatchAndWait) {
  const auto own = CommandOf<CleanupLeases>({"cleanup", "--dry-run"});
  EXPECT_EQ(own.request.ShortDebugString(), "scope: CLEANUP_SCOPE_CALLER");
  EXPECT_TRUE(own.dry_run);
  EXPECT_EQ(CommandOf<CleanupLeases>({"cleanup", "--network"}).request.scope(),
            v1::CLEANUP_SCOPE_NETWORK);
  EXPECT_EQ(CommandOf<CleanupLeases>({"cleanup", "--owner", "7"}).owner,
            std::make_optional<uint32_t>(7));
  EXPECT_THAT(UsageErrorOf({"cleanup", "--network", "--owner", "7"}),
              HasSubstr("exclude each other"));
  EXPECT_EQ(CommandOf<CleanupLeases>({"cleanup", "--of", "red"}).request.ShortDebugString(),
            R"(scope: CLEANUP_SCOPE_CALLER network: "red")");
  EXPECT_EQ(
      CommandOf<CleanupLeases>({"cleanup", "--network", "--of", "*"}).request.ShortDebugString(),
      R"(scope: CLEANUP_SCOPE_NETWORK network: "*")");
  // The name of one network must not be lost, and another be removed.
  EXPECT_THAT(UsageErrorOf({"cleanup", "--network", "red"}),
              HasSubstr("give the network by --of red"));
  EXPECT_NE(UsageErrorOf({"cleanup", "--network=red"}), "no error");
  EXPECT_TRUE(std::get<WatchRun>(MustParse({"watch"}).command).reconnect);
  EXPECT_FALSE(std::get<WatchRun>(MustParse({"watch", "--no-reconnect"}).command).reconnect);
  const auto wait = std::get<WaitRun>(MustParse({"wait", "vm1", "--removed"}).command);
  EXPECT_EQ(Show(wait.which), "vm1 eth0");
  EXPECT_EQ(wait.state, LeaseState::kRemoved);
  EXPECT_THAT(UsageErrorOf({"wait", "vm1"}), HasSubstr("--attached, --detached or --removed is"));
  EXPECT_THAT(UsageErrorOf({"wait", "vm1", "--attached", "--removed"}),
              HasSubstr("exclude each other"));
}

TEST_F(CommandLineTest, AcceptsFormatsOfCreateAndShow) {
  EXPECT_EQ(CommandOf<CreateLeases>({"create", "vm1", "--format", "qemu"}).format,
            LeaseFormat::kQemu);
  const auto show = CommandOf<ShowLeases>({"show", "--tap", "svvm1eth0", "--format=env"});
  EXPECT_EQ(show.format, LeaseFormat::kEnv);
  EXPECT_EQ(show.which.tap, "svvm1eth0");
  EXPECT_THAT(UsageErrorOf({"show", "vm1", "--format", "xml"}),
              HasSubstr("table|json|env|firecracker|firecracker-restore|cloud-hypervisor|"
                        "cloud-hypervisor-restore|qemu|cloud-init"));
}

TEST_F(CommandLineTest, AcceptsLifetimesOfCreate) {
  EXPECT_EQ(CreateOf({"create", "vm1", "--lifetime", "process:7"}),
            R"(vm1: iface_id: "eth0" lifetime { process { pid: 7 } })");
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
  EXPECT_EQ(CreateOf({"create", "--", "run", "--queues"}), R"(run --queues: iface_id: "eth0")");
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
  EXPECT_THAT(UsageErrorOf({"status", "x"}), HasSubstr("'x' is one argument too many\n"));
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
                              "status", "watch", "wait", "metrics"}) {
    EXPECT_THAT(help.standard_output, HasSubstr(command));
    EXPECT_EQ(std::get<Report>(Parse({command, "--help"})).exit_code, ExitCode::kDone);
  }
  for (const char* flag : {"--version", "-V"}) {
    EXPECT_EQ(std::get<Report>(Parse({flag})).standard_output, "svnetctl " SVNET_VERSION "\n");
  }
}

TEST_F(CommandLineTest, NamesTheErrorAndTheHelpCommandInUsageErrors) {
  EXPECT_THAT(UsageErrorOf({}), HasSubstr("see: svnetctl --help"));
  EXPECT_THAT(UsageErrorOf({"destroy"}), StartsWith("svnetctl: there is no command 'destroy'"));
  EXPECT_THAT(UsageErrorOf({"create"}), HasSubstr("see: svnetctl create --help"));
  EXPECT_THAT(UsageErrorOf({"remove"}), HasSubstr("VM or --tap NAME"));
  EXPECT_THAT(UsageErrorOf({"remove", "vm1", "--tap", "x"}), HasSubstr("--tap"));
  for (const char* queues : {"0", "257", "abc", "-1"}) {
    EXPECT_THAT(UsageErrorOf({"create", "vm1", "--queues", queues}),
                HasSubstr(absl::StrCat("--queues: '", queues, "' is not a number from 1 to 256")));
  }
  EXPECT_THAT(UsageErrorOf({"create", "vm1", "--ip"}), HasSubstr("--ip needs a value"));
  EXPECT_THAT(UsageErrorOf({"list", "--attached=x"}), HasSubstr("--attached takes no value"));
  EXPECT_THAT(UsageErrorOf({"create", "vm1", "--ip", "10.0.0.2", "--ip", "10.0.0.3"}),
              HasSubstr("--ip may be given only once"));
  EXPECT_THAT(UsageErrorOf({"remove", "vm1", "--tap", "x"}),
              HasSubstr("VM and --tap exclude each other: give one of them"));
  EXPECT_THAT(UsageErrorOf({"create", "--ip=", "vm1"}), HasSubstr("--ip= needs a value"));
  EXPECT_THAT(UsageErrorOf({"create", "vm1", "--owner", "no-such-user"}),
              HasSubstr("there is no user 'no-such-user'"));
  EXPECT_THAT(UsageErrorOf({"create", "\xff"}), HasSubstr("'\\xff' is not UTF-8 text"));
  EXPECT_THAT(UsageErrorOf({"status", "--timeout", "0"}), HasSubstr("--timeout"));
  EXPECT_THAT(UsageErrorOf({"status", "--socket", std::string(108, 'x').c_str()}),
              HasSubstr("108 bytes"));
  EXPECT_THAT(UsageErrorOf({"list", "extra"}), HasSubstr("extra"));
}

TEST_F(CommandLineTest, RendersUsageErrorsAsJsonIfItIsGiven) {
  for (const auto& argv : std::vector<std::vector<const char*>>{{"--json", "create"},
                                                                {"create", "--json"},
                                                                {"lisst", "--json"},
                                                                {"create", "--ip=", "--json"},
                                                                {"run", "vm1", "--json"}}) {
    const Report report = std::get<Report>(Parse(argv));
    EXPECT_EQ(report.exit_code, ExitCode::kUsage);
    EXPECT_THAT(report.standard_output,
                HasSubstr("\"error\": {\n  \"code\": \"INVALID_ARGUMENT\""));
    EXPECT_THAT(report.standard_error, StartsWith("svnetctl: "));
  }
  // That one is the program's.
  EXPECT_EQ(std::get<Report>(Parse({"run", "--", "vmm", "--json"})).standard_output, "");
}

}  // namespace
}  // namespace svnet::client
