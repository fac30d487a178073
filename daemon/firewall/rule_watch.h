// Who else changes nftables rules.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"

namespace svnet {

// What other programs have changed, or may have.
struct RuleChanges {
  bool watched = false;  // the tables that are watched
  bool others = false;   // other tables
};

// Not thread-safe.
class RuleWatch {
 public:
  virtual ~RuleWatch() = default;

  // Readable when Take may have something to say.
  virtual int fd() const = 0;
  // Since the last call, or since it was opened, as far as is known. Does not wait. `own`: how many
  // transactions this program has made until now.
  virtual absl::StatusOr<RuleChanges> Take(uint32_t own) = 0;
};

}  // namespace svnet
