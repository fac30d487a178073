// What has happened on the host since the last time.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/kernel/kernel.h"

namespace svnet {

struct HostEvents {
  absl::StatusOr<KernelChanges> changes;
  std::vector<uint64_t> ended;  // see Expiry::NoteEnded
  bool rules_heard = true;      // it is known whether svnetd's rules were changed
};

}  // namespace svnet
