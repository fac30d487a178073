// A Firewall in memory.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/base/status_macros.h"
#include "daemon/firewall/firewall.h"
#include "tests/fakes/faults.h"

namespace svnet::testing {

class FakeFirewall final : public Firewall {
 public:
  // `faults` must outlive it.
  explicit FakeFirewall(Faults* faults) : faults_(faults) {}

  absl::Status Apply(const MacAddress& bridge, const std::vector<Binding>& bindings) override {
    SVNET_RETURN_IF_ERROR(faults_->Check("Apply"));
    stands_ = true;
    as_applied_ = true;
    bridge_ = bridge;
    bindings_.clear();
    for (const Binding& binding : bindings) bindings_.emplace(binding.ifindex, binding);
    return absl::OkStatus();
  }

  absl::StatusOr<bool> IsApplied() override {
    SVNET_RETURN_IF_ERROR(faults_->Check("IsApplied"));
    return stands_ && as_applied_;
  }

  absl::Status Bind(const Binding& binding) override {
    SVNET_RETURN_IF_ERROR(faults_->Check("Bind"));
    if (!stands_) return absl::InternalError("nftables: No such file or directory");
    bindings_.insert_or_assign(binding.ifindex, binding);
    return absl::OkStatus();
  }

  absl::Status Unbind(const Binding& binding) override {
    SVNET_RETURN_IF_ERROR(faults_->Check("Unbind"));
    bindings_.erase(binding.ifindex);
    return absl::OkStatus();
  }

  absl::StatusOr<bool> Remove() override {
    SVNET_RETURN_IF_ERROR(faults_->Check("Remove"));
    bindings_.clear();
    return std::exchange(stands_, false);
  }

  // What somebody else does: `nft flush ruleset`; and a restart, after which the rules
  // are those of an earlier svnetd.
  void Flush() {
    stands_ = false;
    bindings_.clear();
  }
  void Restart() { as_applied_ = false; }

  const std::map<int, Binding>& bindings() const { return bindings_; }

  std::string Dump() const {
    if (!stands_) return "no rules\n";
    std::string text = absl::StrCat("rules for ", bridge_.ToString(), "\n");
    for (const auto& [ifindex, binding] : bindings_) {
      absl::StrAppend(&text, "binding ", ifindex, " ", binding.mac.ToString(), " ",
                      binding.ip.ToString(), " zone ", binding.zone, "\n");
    }
    return text;
  }

 private:
  Faults* const faults_;
  bool stands_ = false;
  bool as_applied_ = false;
  MacAddress bridge_ = MacAddress({});
  std::map<int, Binding> bindings_;  // by ifindex
};

}  // namespace svnet::testing
