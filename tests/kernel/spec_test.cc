// Leases with texts, on the real kernel and a real folder: svnetd dies, or a step fails, between
// any two steps, and the next start finds the whole effect or none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/base/clock.h"
#include "daemon/base/spec_digest.h"
#include "daemon/firewall/nft_firewall.h"
#include "daemon/foreign/foreign_firewall_reconciler.h"
#include "daemon/lease/names.h"
#include "daemon/network/event_sink.h"
#include "daemon/network/network_api.h"
#include "daemon/network/network_registry.h"
#include "daemon/network/reap_worker.h"
#include "daemon/store/folder_spec_store.h"
#include "tests/fakes/clean_up.h"
#include "tests/fakes/fake_foreign_firewalls.h"
#include "tests/kernel/kernel_test.h"
#include "tests/unit/values.h"

namespace svnet {
namespace {

using ::testing::IsEmpty;
using testing::Shell;

const Caller kAlice = {.uid = 1000, .gid = 1000, .shares_pids = true};
const Caller kRoot = {.uid = 0, .gid = 0, .administrator = true, .shares_pids = true};
constexpr char kText[] = "svnet-spec 1\n# one\n";
constexpr char kOther[] = "svnet-spec 1\n# another\n";

std::vector<std::string> FilesIn(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& each : std::filesystem::directory_iterator(folder)) {
    names.push_back(each.path().filename());
  }
  return names;
}

// All of svnetd that has to do with leases.
class Core {
 public:
  explicit Core(const std::string& folder) : store_(FolderSpecStore::Open(folder).value()) {
    registry_ = NetworkRegistry::Start({{.bridge = bridge_,
                                         .prefix = testing::Prefix("10.9.0.0/24"),
                                         .bridge_mac = testing::Mac("c2:00:00:00:00:01"),
                                         .isolation = Isolation::kOwner}},
                                       {.kernel = kernel_.get(),
                                        .firewall = firewall_.get(),
                                        .store = store_.get(),
                                        .foreign = &foreign_reconciler_,
                                        .events = &events_,
                                        .clock = MonotonicNow})
                    .value();
    api_.emplace(registry_.get(), &foreign_reconciler_, &events_);
  }

  absl::Status Create(const std::string& text, const std::string& vm = "vm1") {
    return api_
        ->CreateTap(kAlice,
                    {.vm = testing::Vm(vm), .iface = testing::Iface("eth0"), .spec_text = text})
        .status();
  }
  absl::Status Update(const std::string& text) {
    return api_->UpdateTap(kAlice, {.lease = Vm1(), .spec_text = text}).status();
  }
  absl::Status Remove() { return api_->RemoveTap(kAlice, Vm1()).status(); }
  // Reads all, as `svnetctl status` has it do; returns the types of the conditions.
  std::vector<std::string> Look() {
    const absl::StatusOr<NetworkStatus> status = api_->GetNetwork(kRoot, {});
    if (!status.ok()) return {std::string(status.status().message())};
    std::vector<std::string> types;
    for (const Condition& each : status->conditions) types.push_back(each.type);
    return types;
  }
  void Settle() { ReapWorker(registry_.get(), reaper_.get()).ReapAll(); }
  absl::Status Cleanup() {
    return testing::CleanUp(*api_, ReapWorker(registry_.get(), reaper_.get()), kRoot,
                            {.scope = CleanupScope::kNetwork})
        .status();
  }
  std::vector<Lease> List() { return api_->ListTaps(kRoot, {.limit = 100})->leases; }

 private:
  static LeaseSelector Vm1() {
    return LeaseIds{.vm = testing::Vm("vm1"), .iface = testing::Iface("eth0")};
  }

  const LinkName bridge_ = testing::Name("svbr0");
  const std::unique_ptr<SpecStore> store_;
  const std::unique_ptr<Kernel> kernel_ =
      NetlinkKernel::Open({testing::Prefix("10.9.0.0/24")}).value();
  const std::unique_ptr<Reaper> reaper_ = NetlinkReaper::Open().value();
  const std::unique_ptr<Firewall> firewall_ =
      NftFirewall::Open(bridge_, SpecOf({.bridge = bridge_,
                                         .prefix = testing::Prefix("10.9.0.0/24"),
                                         .link_group = DeriveLinkGroup(bridge_),
                                         .retired_groups = kRetiredGroups}))
          .value();
  testing::Faults faults_;
  testing::FakeForeignFirewalls foreign_{&faults_};
  ForeignFirewallReconciler foreign_reconciler_{
      {{.guests = {.kind = NetworkKind::kBridge,
                   .bridge = bridge_,
                   .prefix = testing::Prefix("10.9.0.0/24")},
        .uplink = ""}},
      false,
      &foreign_,
      MonotonicNow};
  EventSink events_{{}};
  std::unique_ptr<NetworkRegistry> registry_;
  std::optional<NetworkApi> api_;
};

// What is done to a lease while a fault is waiting.
struct Scenario {
  std::string name;
  std::string before;  // the text of vm1; "none": there is no such lease
  std::string after;
  std::function<void(Core*)> run;

  friend std::ostream& operator<<(std::ostream& out, const Scenario& each) {
    return out << each.name;
  }
};

const Scenario kScenarios[] = {
    {"Create", "none", kText, [](Core* core) { core->Create(kText).IgnoreError(); }},
    {"Update", kText, kOther, [](Core* core) { core->Update(kOther).IgnoreError(); }},
    {"UpdateToNone", kText, "", [](Core* core) { core->Update("").IgnoreError(); }},
    {"UpdateFromNone", "", kOther, [](Core* core) { core->Update(kOther).IgnoreError(); }},
    {"Remove", kText, "none",
     [](Core* core) {
       core->Remove().IgnoreError();
       core->Settle();
     }},
    {"Cleanup", kText, "none", [](Core* core) { core->Cleanup().IgnoreError(); }},
};

class SpecFaultTest : public ::testing::TestWithParam<Scenario> {
 protected:
  SpecFaultTest() {
    std::string name = "/tmp/svnet-spec-XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~SpecFaultTest() override { std::filesystem::remove_all(folder_); }

  std::string state() const { return folder_ + "/state"; }

  // From nothing, in a process of its own, which may die.
  void RunScenario(const std::string& variable, const std::string& value) const {
    testing::EnterFreshNetworkNamespace();
    std::filesystem::remove_all(state());
    const pid_t child = fork();
    if (child == 0) {
      Core core(state());
      if (GetParam().before != "none" && !core.Create(GetParam().before).ok()) _exit(2);
      setenv(variable.c_str(), value.c_str(), 1);
      GetParam().run(&core);
      _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    ASSERT_TRUE(killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0)) << status;
  }

  // The text of vm1, as the next svnetd finds it.
  static std::string TextOf(Core* core) {
    const std::vector<Lease> leases = core->List();
    if (leases.empty()) return "none";
    for (const char* text : {kText, kOther}) {
      if (leases[0].spec.text_digest == SpecDigest(text)) return text;
    }
    return leases[0].spec.text_digest;
  }

  void ExpectWholeOrNone(const std::string& fault) const {
    Core core(state());
    core.Settle();
    EXPECT_THAT(core.Look(), IsEmpty()) << fault;
    const std::string text = TextOf(&core);
    EXPECT_TRUE(text == GetParam().before || text == GetParam().after) << fault << ": " << text;
    // Exactly the text that the lease names is there.
    std::set<std::string> named;
    if (text != "none" && !text.empty()) named.insert(SpecDigest(text));
    const std::vector<std::string> files = FilesIn(state());
    EXPECT_EQ(std::set<std::string>(files.begin(), files.end()), named) << fault;
    EXPECT_TRUE(core.Cleanup().ok()) << fault;
    EXPECT_THAT(FilesIn(state()), IsEmpty()) << fault;
  }

  std::string folder_;
};
INSTANTIATE_TEST_SUITE_P(Scenarios, SpecFaultTest, ::testing::ValuesIn(kScenarios),
                         [](const auto& each) { return each.param.name; });

TEST_P(SpecFaultTest, TheWholeEffectOrNone) {
  const std::string trace = folder_ + "/trace";
  RunScenario("SVNET_FAULT_TRACE", trace);
  ExpectWholeOrNone("no fault");
  std::map<std::string, int> points;
  std::ifstream file(trace);
  for (std::string name; std::getline(file, name);) ++points[name];
  ASSERT_FALSE(points.empty()) << "this svnetd is built without SVNET_FAULT_POINTS";
  ASSERT_TRUE(std::any_of(points.begin(), points.end(), [](const auto& each) {
    return each.first.starts_with("spec.");
  })) << "it does nothing to a text";
  for (const auto& [name, times] : points) {
    for (int count = 1; count <= std::min(times, 2); ++count) {
      for (const char* effect : {"die", "fail"}) {
        const std::string fault = absl::StrCat(name, ":", count, ":", effect);
        RunScenario("SVNET_FAULT", fault);
        ExpectWholeOrNone(fault);
        std::cout << GetParam().name << " " << fault << (HasFailure() ? ": wrong\n" : ": right\n");
      }
    }
  }
}

class SpecFolderTest : public SpecFaultTest {};

// A tmpfs of one page.
TEST_F(SpecFolderTest, WithoutRoomNothingIsTouched) {
  testing::EnterFreshNetworkNamespace();
  Shell("mkdir -p " + state() + " && mount -t tmpfs -o size=4k,mode=700 tmpfs " + state());
  {
    Core core(state());
    const std::string before = Shell("ip -o link; nft list ruleset");
    // The second page.
    const std::string text = "svnet-spec 1\n#" + std::string(5000, 'a') + "\n";
    const absl::Status refused = core.Create(text);
    EXPECT_EQ(testing::ReasonIn(refused), "TAP_CREATE_FAILED");
    EXPECT_THAT(std::string(refused.message()), ::testing::HasSubstr("No space left on device"));
    EXPECT_EQ(Shell("ip -o link; nft list ruleset"), before);
    EXPECT_THAT(FilesIn(state()), IsEmpty());
    ASSERT_TRUE(core.Create(kText).ok());
    EXPECT_EQ(testing::ReasonIn(core.Update(text)), "TAP_CREATE_FAILED");
    EXPECT_EQ(TextOf(&core), kText);
    EXPECT_THAT(FilesIn(state()), ::testing::ElementsAre(SpecDigest(kText)));
    // A lease without a text needs no room.
    ASSERT_TRUE(core.Create("", "vm2").ok());
    ASSERT_TRUE(core.Cleanup().ok());
  }
  Shell("umount " + state());
}

}  // namespace
}  // namespace svnet
