// A Firewall in memory.
#pragma once

#include <sys/eventfd.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/base/status_macros.h"
#include "daemon/base/unique_fd.h"
#include "daemon/firewall/firewall.h"
#include "tests/fakes/faults.h"

namespace svnet::testing {

class FakeFirewall final : public Firewall {
 public:
  // `faults` must outlive it.
  explicit FakeFirewall(Faults* faults) : faults_(faults) {}

  void AddNetwork(const RulesetNetwork& /*network*/) override {}

  absl::Status Apply(const std::vector<NetworkGuests>& networks, OtherForwarding others) override {
    SVNET_RETURN_IF_ERROR(faults_->Check("Apply"));
    others_ = others;
    stands_ = true;
    disowned_ = false;
    bridges_.clear();
    bindings_.clear();
    for (const NetworkGuests& each : networks) {
      bridges_.emplace(each.name, each.bridge);
      for (const Binding& binding : each.bindings) bindings_.emplace(binding.ifindex, binding);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<OtherForwarding> ReadOtherForwarding() override {
    SVNET_RETURN_IF_ERROR(faults_->Check("ReadOtherForwarding"));
    return stands_ ? others_ : OtherForwarding::kAsItIs;
  }

  absl::Status OpenOtherForwarding() override {
    SVNET_RETURN_IF_ERROR(faults_->Check("OpenOtherForwarding"));
    if (!stands_ || others_ == OtherForwarding::kAsItIs) {
      return absl::NotFoundError("the host forwards for others");
    }
    others_ = OtherForwarding::kAsItIs;
    return absl::OkStatus();
  }

  absl::Status Bind(const NetworkName& network, const Binding& binding) override {
    SVNET_RETURN_IF_ERROR(faults_->Check("Bind"));
    if (!stands_ || !bridges_.contains(network))
      return absl::NotFoundError("nftables: No such file or directory");
    bindings_.insert_or_assign(binding.ifindex, binding);
    return absl::OkStatus();
  }

  absl::Status Unbind(const NetworkName& /*network*/, const Binding& binding) override {
    SVNET_RETURN_IF_ERROR(faults_->Check("Unbind"));
    bindings_.erase(binding.ifindex);
    return absl::OkStatus();
  }

  absl::Status SetPreferredSources(const std::map<Ifindex, Ipv4Address>& sources) override {
    SVNET_RETURN_IF_ERROR(faults_->Check("SetPreferredSources"));
    preferred_sources_ = sources;
    return absl::OkStatus();
  }

  absl::StatusOr<bool> Stand() override {
    SVNET_RETURN_IF_ERROR(faults_->Check("Stand"));
    return stands_;
  }

  absl::StatusOr<std::vector<DropCount>> ReadDrops(const NetworkName& network) override {
    SVNET_RETURN_IF_ERROR(faults_->Check("ReadDrops"));
    if (!stands_ || network != NetworkName()) return std::vector<DropCount>();
    return drops_;
  }

  absl::StatusOr<ConnectionTable> ReadConnections() override {
    SVNET_RETURN_IF_ERROR(faults_->Check("ReadConnections"));
    return connections_;
  }

  absl::StatusOr<bool> Remove() override {
    SVNET_RETURN_IF_ERROR(faults_->Check("Remove"));
    bindings_.clear();
    return std::exchange(stands_, false);
  }

  absl::Status Disown(const std::vector<NetworkGuests>& networks, OtherForwarding others) override {
    SVNET_RETURN_IF_ERROR(faults_->Check("Disown"));
    if (!stands_) return absl::OkStatus();
    SVNET_RETURN_IF_ERROR(Apply(networks, others));
    disowned_ = true;
    return absl::OkStatus();
  }

  int changes_fd() const override { return never_readable_.get(); }
  absl::StatusOr<bool> WereChanged() override {
    SVNET_RETURN_IF_ERROR(faults_->Check("WereChanged"));
    return std::exchange(changed_, false);
  }
  bool OthersWereChanged() override { return std::exchange(others_changed_, false); }

  // What another program does: `nft flush ruleset`.
  void Flush() {
    stands_ = false;
    bindings_.clear();
    changed_ = true;
  }

  // `nft add table inet theirs`.
  void ChangeOthers() { others_changed_ = true; }
  // As if packets had come.
  void SetDrops(std::vector<DropCount> drops) { drops_ = std::move(drops); }

  void SetConnections(const ConnectionTable& connections) { connections_ = connections; }

  const std::map<Ifindex, Ipv4Address>& preferred_sources() const { return preferred_sources_; }
  const std::map<int, Binding>& bindings() const { return bindings_; }

  std::string Dump() const {
    if (!stands_) return "no rules\n";
    std::string text;
    for (const auto& [network, bridge] : bridges_) {
      absl::StrAppend(&text, "rules of ", network.text(), " for ", bridge.mac.ToString(), "\n");
    }
    if (disowned_) text += "of no program\n";
    if (others_ == OtherForwarding::kClosed) text += "for its guests alone\n";
    for (const auto& [ifindex, binding] : bindings_) {
      absl::StrAppend(&text, "binding ", ifindex, " ", binding.mac.ToString(), " ",
                      binding.ip.ToString(), " zone ", binding.zone, "\n");
    }
    return text;
  }

 private:
  Faults* const faults_;
  bool stands_ = false;
  bool disowned_ = false;
  OtherForwarding others_ = OtherForwarding::kAsItIs;
  bool others_changed_ = false;
  std::vector<DropCount> drops_ = {{.cause = "spoofed"}};
  ConnectionTable connections_;
  std::map<Ifindex, Ipv4Address> preferred_sources_;
  bool changed_ = false;  // by another program, and WereChanged has not said so
  UniqueFd never_readable_{eventfd(0, EFD_CLOEXEC)};
  std::map<NetworkName, GuestBridge> bridges_;
  std::map<int, Binding> bindings_;  // by ifindex
};

}  // namespace svnet::testing
