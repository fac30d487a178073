// A NetworkManager over a kernel and a firewall in memory.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/lease/names.h"
#include "daemon/network/network_manager.h"
#include "tests/fakes/fake_firewall.h"
#include "tests/fakes/fake_kernel.h"
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

class NetworkManagerTest : public ::testing::Test {
 protected:
  explicit NetworkManagerTest(const std::string& prefix = "172.30.0.0/24")
      : settings_({.bridge = Name("svbr0"),
                   .prefix = Prefix(prefix),
                   .bridge_mac = Mac("c2:00:00:00:00:01")}) {}

  // A second call is a restart.
  absl::Status Start() {
    manager_.reset();
    auto manager = NetworkManager::Start(
        settings_, {.kernel = &kernel_,
                    .reaper = &reaper_,
                    .firewall = &firewall_,
                    .clock = [this] { return now_; },
                    .wall_clock = [] { return absl::FromUnixSeconds(1800000000); },
                    .on_event =
                        [this](const TapEvent& event) {
                          const bool noted = event.type == TapEvent::Type::kNoted;
                          (noted ? noted_ : log_).push_back(event.message);
                        },
                    .on_health = on_health_});
    if (manager.ok()) manager_ = *std::move(manager);
    return manager.status();
  }

  NetworkManager& manager() {
    if (manager_ == nullptr) {
      EXPECT_TRUE(Start().ok());
    }
    return *manager_;
  }

  absl::StatusOr<Lease> Create(const Caller& caller, const std::string& vm) {
    return manager().CreateTap(caller, {.vm = Vm(vm), .iface = Iface("eth0")});
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
    const auto removed = manager().RemoveTap(caller, selector);
    EXPECT_TRUE(removed.ok()) << removed.status();
    manager().Reap();
    return removed->has_value();
  }
  std::vector<Lease> List(const Caller& caller) {
    return manager().ListTaps(caller, std::nullopt, 1000)->leases;
  }
  std::vector<std::string> Conditions() {
    std::vector<std::string> types;
    const NetworkStatus status = manager().GetNetwork().value();
    for (const Condition& each : status.setup.conditions) types.push_back(each.type);
    return types;
  }

  std::string Picture() const { return kernel_.Dump() + firewall_.Dump(); }

  NetworkSettings settings_;
  testing::Faults faults_;
  testing::FakeKernel kernel_{&faults_};
  testing::FakeReaper reaper_{&kernel_, &faults_};
  testing::FakeFirewall firewall_{&faults_};
  absl::Time now_ = absl::UnixEpoch() + absl::Hours(1);
  std::vector<std::string> log_;    // what it did unasked
  std::vector<std::string> noted_;  // what it did to the whole host
  std::function<void(const NetworkHealth&)> on_health_ = [](const NetworkHealth&) {};
  std::unique_ptr<NetworkManager> manager_;
};

}  // namespace svnet
