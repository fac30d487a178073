// A NetworkRegistry over a kernel and firewalls in memory.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/lease/names.h"
#include "daemon/network/network_registry.h"
#include "daemon/network/reap_worker.h"
#include "tests/fakes/clean_up.h"
#include "tests/fakes/fake_parts.h"
#include "tests/unit/values.h"

namespace svnet {

using testing::Iface;
using testing::Ip;
using testing::Mac;
using testing::Name;
using testing::Prefix;
using testing::ReasonIn;
using testing::Vm;

const Caller kAlice = {.uid = 1000, .gid = 1000, .groups = {44, 105}, .shares_pids = true};
const Caller kBob = {.uid = 1001, .gid = 1001, .shares_pids = true};
const Caller kRoot = {.uid = 0, .gid = 0, .administrator = true, .shares_pids = true};

class NetworkRegistryTest : public ::testing::Test {
 protected:
  explicit NetworkRegistryTest(const std::string& prefix = "172.30.0.0/24")
      : settings_({.bridge = Name("svbr0"),
                   .prefix = Prefix(prefix),
                   .bridge_mac = Mac("c2:00:00:00:00:01")}) {}

  // A second call is a restart.
  absl::Status Start() {
    api_.reset();
    registry_.reset();
    NetworkRegistry::Parts parts = parts_.All();
    parts.wall_clock = [] { return absl::FromUnixSeconds(1800000000); };
    parts.on_health = on_health_;
    auto registry = NetworkRegistry::Start(AllSettings(), parts);
    if (!registry.ok()) return registry.status();
    registry_ = *std::move(registry);
    api_.emplace(parts_.ApiOf(registry_.get()));
    return absl::OkStatus();
  }

  std::vector<NetworkSettings> AllSettings() const {
    std::vector<NetworkSettings> all = {settings_};
    all.insert(all.end(), others_.begin(), others_.end());
    return all;
  }

  NetworkRegistry& registry() {
    if (registry_ == nullptr) {
      EXPECT_TRUE(Start().ok());
    }
    return *registry_;
  }
  NetworkApi& api() {
    registry();
    return *api_;
  }

  absl::StatusOr<Lease> Create(const Caller& caller, const std::string& vm) {
    return api().CreateTap(caller, {.vm = Vm(vm), .iface = Iface("eth0")});
  }
  Lease MustCreate(const Caller& caller, const std::string& vm) {
    const absl::StatusOr<Lease> lease = Create(caller, vm);
    EXPECT_TRUE(lease.ok()) << lease.status();
    return *lease;
  }
  static LeaseSelector ByIds(const std::string& vm) {
    return LeaseIds{.vm = Vm(vm), .iface = Iface("eth0")};
  }
  bool MustRemove(const Caller& caller, const LeaseSelector& selector) {
    const auto removed = api().RemoveTap(caller, selector);
    EXPECT_TRUE(removed.ok()) << removed.status();
    Reap();
    return removed->has_value();
  }
  absl::StatusOr<CleanupResult> CleanUp(const Caller& caller, const CleanupRequest& request) {
    return testing::CleanUp(api(), ReapWorker(&registry(), &reaper_), caller, request);
  }
  // Destroys what is retired, at once.
  void Reap() { ReapWorker(&registry(), &reaper_).ReapAll(); }
  std::vector<Lease> List(const Caller& caller) {
    return api().ListTaps(caller, {.limit = 1000})->leases;
  }
  std::vector<std::string> Conditions() {
    std::vector<std::string> types;
    const NetworkStatus status = api().GetNetwork(kRoot, {}).value();
    for (const Condition& each : status.conditions) types.push_back(each.type);
    return types;
  }

  std::string Picture() const { return kernel_.Dump() + firewall_.Dump(); }

  void Note(const TapEvent& event) {
    if (event.type == TapEvent::Type::kCondition) return conditions_.push_back(event.message);
    (event.type == TapEvent::Type::kNoted ? noted_ : log_).push_back(event.message);
  }

  absl::Time now_ = absl::UnixEpoch() + absl::Hours(1);
  absl::Duration passes_ = absl::ZeroDuration();  // whenever somebody asks for the time
  std::vector<std::string> log_;                  // what it did unasked
  std::vector<std::string> noted_;                // what it did to the whole host
  std::vector<std::string> conditions_;           // that began or ended
  testing::FakeParts parts_{[this] { return now_ += passes_; },
                            {[this](const TapEvent& event) { Note(event); }}};
  testing::Faults& faults_ = parts_.faults;
  testing::FakeKernel& kernel_ = parts_.kernel;
  testing::FakeReaper& reaper_ = parts_.reaper;
  testing::FakeFirewall& firewall_ = parts_.firewall;
  NetworkSettings settings_;             // of the default network
  std::vector<NetworkSettings> others_;  // of more networks
  std::function<void(const HealthOfNetworks&)> on_health_ = [](const HealthOfNetworks&) {};
  std::unique_ptr<NetworkRegistry> registry_;
  std::optional<NetworkApi> api_;
};

}  // namespace svnet
