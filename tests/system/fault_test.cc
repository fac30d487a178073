// svnetd dies, or a call to the kernel fails, between any two steps: the whole effect or
// none, nothing leaked, and every address usable again.
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "tests/system/kernel_count.h"
#include "tests/system/spec_files.h"
#include "tests/system/system_test.h"

namespace svnet::testing {
namespace {

// Five addresses.
constexpr char kSubnet[] = "--subnet=10.9.9.0/29";
constexpr size_t kAddresses = 5;

// What happens while a fault is waiting.
struct Scenario {
  std::string name;
  // The leases that stand before it, by vm_id, and that the daemon with the fault adopts.
  std::set<std::string> before;
  // Those that stand after it, if nothing goes wrong.
  std::set<std::string> after;
  std::function<void(const Daemon&)> run;
  // What else that daemon finds.
  std::function<void(const std::string& state_dir)> prepare = [](const std::string&) {};

  friend std::ostream& operator<<(std::ostream& out, const Scenario& each) {
    return out << each.name;
  }
};

// A call that may fail, and whose answer may never come.
void Create(const Daemon& svnetd, const std::string& vm) {
  Client(svnetd.socket(), Member(kAlice)).Create(vm);
}
void Remove(const Daemon& svnetd, const std::string& vm) {
  v1::RemoveTapRequest request;
  request.set_vm_id(vm);
  request.set_iface_id("eth0");
  Client alice(svnetd.socket(), Member(kAlice));
  grpc::ClientContext context;
  v1::RemoveTapResponse response;
  alice.stub().RemoveTap(&context, request, &response);
}
void Update(const Daemon& svnetd, const std::string& vm) {
  v1::UpdateTapRequest request;
  request.set_vm_id(vm);
  request.set_iface_id("eth0");
  request.mutable_tap()->mutable_lifetime()->mutable_until_detached();
  request.mutable_update_mask()->add_paths("lifetime");
  Client alice(svnetd.socket(), Member(kAlice));
  grpc::ClientContext context;
  v1::UpdateTapResponse response;
  alice.stub().UpdateTap(&context, request, &response);
}
void Cleanup(const Daemon& svnetd, uid_t uid, v1::CleanupScope scope) {
  v1::CleanupRequest request;
  request.set_scope(scope);
  Client client(svnetd.socket(), Member(uid));
  grpc::ClientContext context;
  v1::CleanupResponse response;
  client.stub().Cleanup(&context, request, &response);
}
// Until svnetd has dealt with what it was told, or is gone.
void Settle(const Daemon& svnetd) {
  const auto stub = v1::NetworkService::NewStub(
      grpc::CreateChannel("unix:" + svnetd.socket(), grpc::InsecureChannelCredentials()));
  v1::GetNetworkResponse network;
  do {
    grpc::ClientContext context;
    if (!stub->GetNetwork(&context, {}, &network).ok()) return;
  } while (network.addresses().reaping() > 0);
}

// "a" has a text that "b" also has, and there is what a svnetd that was killed may leave.
void GrantTexts(const std::string& state_dir) {
  GrantText(state_dir, "svaeth0", kSpecText);
  GrantText(state_dir, "svbeth0", kSpecText);
  Shell("cd " + state_dir + "; echo old >AAAAAAAAAAAAAAA; echo new >BBBBBBBBBBBBBBB.new");
}
// "b" has a text of its own.
void GrantTextToOne(const std::string& state_dir) { GrantText(state_dir, "svbeth0", kSpecText); }

const Scenario kScenarios[] = {
    {"Start", {"a", "b"}, {"a", "b"}, [](const Daemon& svnetd) { Settle(svnetd); }},
    {"FirstCreate", {}, {"c"}, [](const Daemon& svnetd) { Create(svnetd, "c"); }},
    {"LaterCreate", {"a"}, {"a", "c"}, [](const Daemon& svnetd) { Create(svnetd, "c"); }},
    {"Remove",
     {"a", "b"},
     {"a"},
     [](const Daemon& svnetd) {
       Remove(svnetd, "b");
       Settle(svnetd);
     }},
    {"Update", {"a"}, {"a"}, [](const Daemon& svnetd) { Update(svnetd, "a"); }},
    {"CleanupOfACaller",
     {"a", "b"},
     {},
     [](const Daemon& svnetd) {
       Cleanup(svnetd, kAlice, v1::CLEANUP_SCOPE_CALLER);
       Settle(svnetd);
     }},
    {"CleanupOfTheNetwork",
     {"a", "b"},
     {},
     [](const Daemon& svnetd) {
       Cleanup(svnetd, 0, v1::CLEANUP_SCOPE_NETWORK);
       Settle(svnetd);
     }},
    {"StartWithTexts",
     {"a", "b"},
     {"a", "b"},
     [](const Daemon& svnetd) { Settle(svnetd); },
     GrantTexts},
    {"RemoveWithText",
     {"a", "b"},
     {"a"},
     [](const Daemon& svnetd) {
       Remove(svnetd, "b");
       Settle(svnetd);
     },
     GrantTextToOne},
    {"CleanupWithTexts",
     {"a", "b"},
     {},
     [](const Daemon& svnetd) {
       Cleanup(svnetd, 0, v1::CLEANUP_SCOPE_NETWORK);
       Settle(svnetd);
     },
     GrantTexts},
    {"RouteWithASource",
     {"a"},
     {"a"},
     [](const Daemon& svnetd) {
       Shell(
           "ip link add up0 type veth peer name far; ip link set far up; ip link set up0 up;"
           "ip address add 203.0.113.2/24 dev up0; ip address add 192.0.2.7/32 dev up0;"
           "ip route add default via 203.0.113.1 src 192.0.2.7");
       Settle(svnetd);
       Shell("ip link delete up0");
       Settle(svnetd);
     }},
    {"Repair",
     {"a", "b"},
     {"a", "b"},
     [](const Daemon& svnetd) {
       // It hears of all of it at once: otherwise it would repair now this, now that first.
       kill(svnetd.pid(), SIGSTOP);
       Shell("ip link delete svbr0; nft flush ruleset; ip link set svaeth0 mtu 900 down");
       kill(svnetd.pid(), SIGCONT);
       Settle(svnetd);
       Settle(svnetd);
     }},
};

// On each kind of network.
class FaultTest : public SystemTest,
                  public ::testing::WithParamInterface<std::tuple<Scenario, NetworkKind>> {
 protected:
  static const Scenario& scenario() { return std::get<0>(GetParam()); }
  static NetworkKind kind() { return std::get<1>(GetParam()); }
  static std::string KindFlag() {
    return kind() == NetworkKind::kRouted ? "--kind=routed" : "--kind=bridge";
  }

  std::set<std::string> Leases(const Daemon& svnetd) {
    std::set<std::string> leases;
    for (const v1::Tap& tap : Client(svnetd.socket(), Member(0)).MustList()) {
      leases.insert(tap.vm_id());
      // UpdateTap has its whole effect or none.
      EXPECT_EQ(tap.generation() > 1, tap.lifetime().has_until_detached());
    }
    return leases;
  }

  std::string state_dir() const { return folder() + "/state"; }
  // Starts from nothing, with `environment` for the daemon that runs the scenario. Whether
  // that one ended before its time.
  bool RunScenario(const std::string& environment) {
    EnterFreshNetworkNamespace();
    empty_ = NetworkPicture();
    Shell("rm -rf " + state_dir());
    EXPECT_FALSE(Forwards());
    if (!scenario().before.empty()) {
      Daemon svnetd = StartNext();
      for (const std::string& vm : scenario().before) Create(svnetd, vm);
      EXPECT_EQ(Leases(svnetd), scenario().before);
      svnetd.Stop(SIGKILL);
      scenario().prepare(state_dir());
    }
    Daemon svnetd(folder(), {kSocketGroupFlag, kSubnet, KindFlag(), "--state-dir=" + state_dir()},
                  "", {"env", environment});
    if (svnetd.running()) scenario().run(svnetd);
    return svnetd.Stop(SIGTERM) != 0;
  }

  Daemon StartNext() { return Start({kSubnet, KindFlag(), "--state-dir=" + state_dir()}); }

  static bool Forwards() {
    std::ifstream file("/proc/sys/net/ipv4/ip_forward");
    return file.get() == '1';
  }
  // Forwarding was off: if svnetd has turned it on, its rules say so, and close it to others.
  // Who flushes the rules in the instant in which svnetd dies has taken that record away.
  void ExpectForwardingForGuestsAlone(const std::string& fault) {
    if (!Forwards() || scenario().name == "Repair") return;
    EXPECT_EQ(ShellExitCode("nft list chain inet " + RulesTable() + " forward_others | grep drop"),
              0)
        << fault;
  }

  // Exactly the texts that leases name are there.
  void ExpectTextsOfLeases(const std::string& fault) {
    const std::string named =
        Shell("ip link show | sed -n 's/^ *alias svnet2 .* s=\\(.*\\)/\\1/p' | sort -u");
    EXPECT_EQ(Shell("ls -A -I served.toml " + state_dir()), named) << fault;
  }

  // As the next svnetd finds it.
  void ExpectWholeOrNone(const std::string& fault) {
    ExpectForwardingForGuestsAlone(fault);
    Daemon svnetd = StartNext();
    ASSERT_TRUE(svnetd.running()) << fault << svnetd.log();
    Settle(svnetd);
    const std::set<std::string> leases = Leases(svnetd);
    // A cleanup may stop half way, and is repeated.
    const bool between = std::includes(leases.begin(), leases.end(), scenario().after.begin(),
                                       scenario().after.end()) &&
                         std::includes(scenario().before.begin(), scenario().before.end(),
                                       leases.begin(), leases.end());
    EXPECT_TRUE(leases == scenario().before || leases == scenario().after ||
                (scenario().after.empty() && between))
        << fault;
    ExpectForwardingForGuestsAlone(fault);
    const int count = static_cast<int>(leases.size());
    EXPECT_EQ(CountSettledKernel(), CountOfLeases(count, kind())) << fault;
    ExpectTextsOfLeases(fault);
    // No address is lost.
    Client alice(svnetd.socket(), Member(kAlice));
    for (size_t i = leases.size(); i < kAddresses; ++i) {
      alice.MustCreate(absl::StrCat("fill", i));
    }
    EXPECT_EQ(ReasonOf(alice.Create("more").status), "ADDRESS_POOL_EXHAUSTED") << fault;
    Client(svnetd.socket(), 0).MustCleanup(v1::CLEANUP_SCOPE_NETWORK);
    EXPECT_EQ(NetworkPicture(), empty_) << fault;
    EXPECT_TRUE(!Forwards() || scenario().name == "Repair") << fault;
  }

  // The points that the scenario passes, and how often each.
  std::map<std::string, int> Points() {
    const std::string path = folder() + "/trace";
    RunScenario("SVNET_FAULT_TRACE=" + path);
    std::map<std::string, int> points;
    std::ifstream trace(path);
    for (std::string name; std::getline(trace, name);) ++points[name];
    return points;
  }

  std::string empty_;  // the namespace before all
};
INSTANTIATE_TEST_SUITE_P(Scenarios, FaultTest,
                         ::testing::Combine(::testing::ValuesIn(kScenarios),
                                            ::testing::Values(NetworkKind::kBridge,
                                                              NetworkKind::kRouted)),
                         [](const auto& each) {
                           const bool routed = std::get<1>(each.param) == NetworkKind::kRouted;
                           return std::get<0>(each.param).name + (routed ? "_routed" : "_bridge");
                         });

TEST_P(FaultTest, TheWholeEffectOrNone) {
  const std::map<std::string, int> points = Points();
  ASSERT_FALSE(points.empty()) << "this svnetd is built without SVNET_FAULT_POINTS";
  ExpectWholeOrNone("no fault");
  for (const auto& [name, times] : points) {
    for (int count = 1; count <= std::min(times, 3); ++count) {
      for (const char* effect : {"die", "fail"}) {
        const std::string fault = absl::StrCat(name, ":", count, ":", effect);
        const bool ended = RunScenario("SVNET_FAULT=" + fault);
        // It may pass a point fewer times than before, when threads go another way.
        const bool must_end = count == 1 && std::string(effect) == "die";
        EXPECT_TRUE(ended || !must_end) << fault;
        ExpectWholeOrNone(fault);
        std::cout << scenario().name << " " << fault << (HasFailure() ? ": wrong\n" : ": right\n");
      }
    }
  }
}

}  // namespace
}  // namespace svnet::testing
