// Who may call, and how much.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "absl/status/status.h"
#include "daemon/config/admission_rules.h"
#include "daemon/network/caller.h"

namespace svnet {

struct Admission {
  Caller caller;
  // OK: `caller` is served. PERMISSION_DENIED says what to change.
  absl::Status verdict;
  uint32_t connection_limit;

  friend bool operator==(const Admission&, const Admission&) = default;
};

// What the rules make of who the kernel says it is (IdentifyCaller). Pure.
Admission Admit(const Caller& peer, const AdmissionRules& rules);

// The same rules, by which no uid may have more connections than `most`. Administrators may.
AdmissionRules WithFewerConnections(AdmissionRules rules, uint32_t most);

// The verdict on a caller who has as many connections as it may have.
absl::Status TooManyConnections(const Admission& admission);

// The same refusal, in words that fit every uid.
absl::Status RefusalOfAnybody(const absl::Status& verdict);

}  // namespace svnet
