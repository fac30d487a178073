// Failures on demand, for the fakes.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace svnet::testing {

// What goes wrong, and a list of what was called. A call that fails has no effect.
class Faults {
 public:
  // The next call of `operation` ("EnsureBridge"), and no later one, fails.
  void FailNext(const std::string& operation, absl::Status status) {
    named_[operation] = std::move(status);
  }

  // Does that before the next call of `operation`: what another does meanwhile.
  void BeforeNext(const std::string& operation, std::function<void()> what) {
    before_[operation] = std::move(what);
  }

  // The call after the next `count` calls fails, whatever it is.
  void FailAfter(int count) { countdown_ = count; }
  // Every call from now on fails.
  void FailAll() { all_ = true; }
  void Heal() {
    named_.clear();
    countdown_ = -1;
    all_ = false;
  }

  // What was called since the last time this was asked.
  std::vector<std::string> TakeCalls() { return std::exchange(calls_, {}); }

  // The fakes ask before they do anything.
  absl::Status Check(const std::string& operation) {
    if (const auto at = before_.find(operation); at != before_.end()) {
      before_.extract(at).mapped()();
    }
    calls_.push_back(operation);
    if (const auto at = named_.find(operation); at != named_.end()) {
      return named_.extract(at).mapped();
    }
    if (all_ || countdown_-- == 0) return absl::InternalError("injected: " + operation);
    return absl::OkStatus();
  }

 private:
  std::map<std::string, absl::Status> named_;
  std::map<std::string, std::function<void()>> before_;
  int countdown_ = -1;  // below zero: none
  bool all_ = false;
  std::vector<std::string> calls_;
};

}  // namespace svnet::testing
