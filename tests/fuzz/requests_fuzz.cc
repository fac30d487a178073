// Sequences of requests by several callers, with failures, restarts and an operator who
// changes things underneath; what must always hold is checked after each step.
#include <fuzzer/FuzzedDataProvider.h>

#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/network/network_registry.h"
#include "daemon/network/reap_worker.h"
#include "tests/fakes/clean_up.h"
#include "tests/fakes/fake_parts.h"
#include "tests/fuzz/check.h"

namespace svnet::testing {
namespace {

constexpr uint32_t kTapLimit = 4;
const Caller kRoot = {
    .uid = 0, .gid = 0, .administrator = true, .shares_pids = true, .tap_limit = UINT32_MAX};

class Model {
 public:
  explicit Model(FuzzedDataProvider* input) : input_(*input) { Restart(); }

  void Step() {
    now_ += absl::Milliseconds(input_.ConsumeIntegralInRange(0, 2000));
    switch (input_.ConsumeIntegralInRange(0, 12)) {
      case 0:
      case 1:
      case 2:
        return Create();
      case 3:
      case 4:
        return Remove();
      case 5:
        return Cleanup();
      case 6:
        return Restart();
      case 7:
        return ChangeSomethingUnderneath();
      case 8:
        return FailSoon();
      case 9:
        ReapWorker(registry_.get(), &parts_.reaper).ReapAll();
        return;
      case 10:
        return ChangeAttachment();
      case 11:
        return ChangeProcess();
      default:
        api_->GetNetwork(kRoot, {}).IgnoreError();
    }
  }

  void CheckAll() {
    faults_.Heal();
    faults_.TakeCalls();
    const std::vector<Lease> leases = List();
    std::set<LinkName> names;
    std::set<MacAddress> macs;
    std::set<Ipv4Address> ips;
    for (const Lease& lease : leases) {
      Check(names.insert(lease.spec.tap).second, "two leases have one name");
      Check(macs.insert(lease.spec.mac).second, "two leases have one MAC");
      Check(ips.insert(lease.spec.ip).second, "two leases have one address");
      const Link* link = kernel_.Find(lease.spec.tap.text());
      Check(link != nullptr && link->ifindex == lease.state.ifindex && link->persistent,
            "a lease without its TAP");
    }
    Check(api_->GetNetwork(kRoot, {})->addresses_used == leases.size(),
          "the pool is not the leases");
    if (!settled_) return;
    Check(firewall_.bindings().size() == leases.size(), "the elements are not the leases");
    for (const Lease& lease : leases) {
      const auto binding = firewall_.bindings().find(lease.state.ifindex);
      Check(binding != firewall_.bindings().end() && binding->second.mac == lease.spec.mac &&
                binding->second.ip == lease.spec.ip,
            "a lease without its elements");
      Check(kernel_.Find(lease.spec.tap.text())->up, "a port that is down");
    }
    const Link* bridge = kernel_.Find("svbr0");
    if (bridge == nullptr) return;
    Check(kernel_.ListNeighbours(bridge->ifindex)->size() == leases.size(),
          "the neighbours are not the leases");
  }

  // After this, whatever went wrong before is put right.
  void Settle() {
    faults_.Heal();
    Check(CleanUp(kRoot, CleanupScope::kCaller).ok(), "a cleanup without a fault fails");
    const TapRequest request = {.vm = VmId::Parse("settle").value(),
                                .iface = IfaceId::Parse("eth0").value()};
    if (!api_->CreateTap(kRoot, request).ok()) return;  // the pool is full
    settled_ = true;
  }

 private:
  Caller AnyCaller() {
    const uid_t uid = input_.ConsumeIntegralInRange<uid_t>(0, 3);
    if (uid == 0) return kRoot;
    return {.uid = uid, .gid = uid, .shares_pids = true, .tap_limit = kTapLimit};
  }
  VmId AnyVm() {
    return VmId::Parse(absl::StrCat("same", input_.ConsumeIntegralInRange(0, 5))).value();
  }
  IfaceId AnyIface() { return IfaceId::Parse(input_.ConsumeBool() ? "eth0" : "eth1").value(); }

  Lifetime AnyLifetime() {
    switch (input_.ConsumeIntegralInRange(0, 3)) {
      case 0:
        return BoundToProcess{.pid = input_.ConsumeIntegralInRange(1, 3)};
      case 1:
        return UntilDetached{.grace = absl::Milliseconds(input_.ConsumeIntegralInRange(0, 3000))};
      default:
        return Persistent();
    }
  }

  // A VMM opens a TAP, or lets go of one.
  void ChangeAttachment() {
    const std::vector<Lease> leases = List();
    if (leases.empty()) return;
    const std::string& tap =
        leases[input_.ConsumeIntegralInRange<size_t>(0, leases.size() - 1)].spec.tap.text();
    kernel_.Find(tap)->carrier ? kernel_.Detach(tap) : kernel_.Attach(tap);
  }

  void ChangeProcess() {
    const pid_t pid = input_.ConsumeIntegralInRange(1, 3);
    if (running_.erase(pid) > 0) return kernel_.EndProcess(pid);
    running_.insert(pid);
    kernel_.StartProcess(pid, 1, ++start_time_);
  }

  std::vector<Lease> List() { return api_->ListTaps(kRoot, {.limit = 1000})->leases; }
  size_t CountOf(uid_t owner) {
    size_t count = 0;
    for (const Lease& lease : List()) count += lease.spec.key.owner == owner ? 1 : 0;
    return count;
  }

  void Create() {
    const Caller caller = AnyCaller();
    TapRequest request = {.vm = AnyVm(), .iface = AnyIface()};
    if (input_.ConsumeBool()) {
      request.ip = Ipv4Address(0x0a090900 + input_.ConsumeIntegralInRange(0, 20));
    }
    if (input_.ConsumeBool()) {
      request.mac = MacAddress({2, 0, 0, 0, 0, input_.ConsumeIntegralInRange<uint8_t>(0, 3)});
    }
    if (input_.ConsumeBool()) request.owner = input_.ConsumeIntegralInRange<uid_t>(0, 3);
    request.queues = input_.ConsumeIntegralInRange(1, 2);
    request.lifetime = AnyLifetime();
    Arm();
    const absl::StatusOr<Lease> lease = api_->CreateTap(caller, request);
    faults_.Heal();
    if (!lease.ok()) {
      Check(ReasonOf(lease.status()).has_value(), "an error without a reason");
      return;
    }
    Check(lease->spec.key.owner == caller.uid || caller.administrator, "a lease for somebody else");
    Check(!request.ip.has_value() || lease->spec.ip == *request.ip,
          "another address than asked for");
    Check(!request.mac.has_value() || lease->spec.mac == *request.mac,
          "another MAC than asked for");
    // An administrator may have given the owner more.
    if (!caller.administrator && !administrator_gave_.contains(caller.uid)) {
      Check(CountOf(caller.uid) <= kTapLimit, "more leases than the quota");
    }
    if (caller.administrator) administrator_gave_.insert(lease->spec.key.owner);
  }

  void Remove() {
    const Caller caller = AnyCaller();
    const std::vector<Lease> before = List();
    LeaseSelector selector = LeaseIds{.vm = AnyVm(), .iface = AnyIface()};
    if (!before.empty() && input_.ConsumeBool()) {
      selector = before[input_.ConsumeIntegralInRange<size_t>(0, before.size() - 1)].spec.tap;
    }
    Arm();
    const auto removed = api_->RemoveTap(caller, selector);
    faults_.Heal();
    if (!removed.ok() || !removed->has_value()) return;
    Check((*removed)->spec.key.owner == caller.uid || caller.administrator,
          "another's lease is removed");
    Check(List().size() == before.size() - 1, "not one lease is removed");
  }

  absl::StatusOr<CleanupResult> CleanUp(const Caller& caller, CleanupScope scope) {
    return testing::CleanUp(*api_, ReapWorker(registry_.get(), &parts_.reaper), caller,
                            {.scope = scope});
  }

  void Cleanup() {
    const Caller caller = AnyCaller();
    const auto scope = input_.ConsumeBool() ? CleanupScope::kCaller : CleanupScope::kNetwork;
    const auto result = CleanUp(caller, scope);
    faults_.Heal();
    if (!result.ok()) return;
    Check(scope == CleanupScope::kCaller || caller.administrator, "anybody cleans the network up");
    Check(CountOf(caller.uid) == 0, "a cleanup leaves something");
    if (scope == CleanupScope::kNetwork) {
      Check(List().empty() && kernel_.Find("svbr0") == nullptr, "a cleanup leaves something");
    }
  }

  void Restart() {
    std::vector<Lease> before;
    if (registry_ != nullptr) before = List();
    api_.reset();
    registry_.reset();
    faults_.Heal();
    auto registry = NetworkRegistry::Start({{.bridge = LinkName::Parse("svbr0").value(),
                                             .prefix = Ipv4Prefix::Parse("10.9.9.0/28").value(),
                                             .bridge_mac = MacAddress({0xc2, 0, 0, 0, 0, 1})}},
                                           parts_.All());
    Check(registry.ok(), "a start without a fault fails");
    registry_ = *std::move(registry);
    api_.emplace(parts_.ApiOf(registry_.get()));
    Check(List() == before, "a restart changes the leases");
    settled_ = settled_ || !before.empty();
  }

  void ChangeSomethingUnderneath() {
    const std::vector<Lease> leases = List();
    switch (input_.ConsumeIntegralInRange(0, 3)) {
      case 0:
        if (leases.empty()) return;
        kernel_.Delete(
            leases[input_.ConsumeIntegralInRange<size_t>(0, leases.size() - 1)].spec.tap.text());
        return;
      case 1:
        if (leases.empty()) return;
        kernel_.Find(leases.front().spec.tap.text())->alias += "x";
        return;
      case 2:
        firewall_.Flush();
        settled_ = false;
        return;
      default:
        if (Link* bridge = kernel_.Find("svbr0"); bridge != nullptr) bridge->up = false;
    }
  }

  // One of the calls below NetworkRegistry fails, in the request that follows.
  void FailSoon() {
    fault_ = input_.ConsumeIntegralInRange(0, 40);
    input_.ConsumeBool() ? Create() : Remove();
  }

  // Just before a request.
  void Arm() {
    if (!fault_.has_value()) return;
    faults_.FailAfter(*fault_);
    fault_.reset();
    settled_ = false;
  }

  FuzzedDataProvider& input_;
  absl::Time now_ = absl::UnixEpoch() + absl::Hours(1);
  FakeParts parts_{[this] { return now_; }};
  Faults& faults_ = parts_.faults;
  FakeKernel& kernel_ = parts_.kernel;
  FakeFirewall& firewall_ = parts_.firewall;
  std::unique_ptr<NetworkRegistry> registry_;
  std::optional<NetworkApi> api_;
  std::optional<int> fault_;
  std::set<uid_t> administrator_gave_;
  std::set<pid_t> running_;
  uint64_t start_time_ = 0;
  // Nothing failed, and nobody took the rules away, since all was put right.
  bool settled_ = true;
};

}  // namespace
}  // namespace svnet::testing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider input(data, size);
  svnet::testing::Model model(&input);
  for (int i = 0; i < 40 && input.remaining_bytes() > 0; ++i) {
    model.Step();
    model.CheckAll();
  }
  model.Settle();
  model.CheckAll();
  return 0;
}
