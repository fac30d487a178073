// Why the network, or a lease, could not be made the last time.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "daemon/base/condition.h"
#include "daemon/base/error.h"

namespace svnet {

// A host on which no lease can be made looks well as long as nobody looks at the answers of
// CreateTap. Not thread-safe.
class LastFailure {
 public:
  // What became of an attempt to make a lease. What its caller is refused is no failure.
  void Note(const absl::Status& made);

  // Whether it was the network that could not be made; a single TAP may have been the fault of
  // another program, or of whoever asked.
  bool IsOfNetwork() const { return reason_ == Reason::kBridgeSetupFailed; }
  // Appends what is wrong.
  void AddConditions(std::vector<Condition>* conditions) const;

 private:
  std::optional<Reason> reason_;
  std::string message_;
};

}  // namespace svnet
