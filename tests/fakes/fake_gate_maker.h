// Gates without processes: the test has their ends.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "daemon/accept/gate_maker.h"

namespace svnet::testing {

class FakeGateMaker final : public GateMaker {
 public:
  absl::Status Make(Role role, uint64_t number, Channel end) override {
    if (fails) return absl::UnavailableError("no more processes");
    ends.emplace(number, std::move(end));
    roles.emplace(number, role);
    last = number;
    return absl::OkStatus();
  }
  bool Kill(uint64_t number) override {
    ends.erase(number);
    if (!is_full) killed.insert(number);
    return !is_full;
  }

  std::map<uint64_t, Channel> ends;  // of those that are not killed
  std::map<uint64_t, Role> roles;
  std::set<uint64_t> killed;
  uint64_t last = 0;
  bool fails = false;
  bool is_full = false;  // takes no Kill
};

}  // namespace svnet::testing
