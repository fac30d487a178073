// `svnetctl doctor`.
#pragma once

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/doctor/checks.h"
#include "client/doctor/observed.h"

namespace svnet::client {

struct NamedFinding {
  std::string check;
  Finding finding;
};

struct Diagnosis {
  std::vector<NamedFinding> findings;

  int Count(Level level) const;
};

// What the packet test finds is named after these.
inline constexpr const char* kPacketChecks[] = {"packet-lease", "packet-gateway", "packet-nat",
                                                "packet-mac",   "packet-address", "packet-arp"};
bool IsPacketCheck(absl::string_view id);

// The checks with these names, without packet checks; all if `ids` is empty. InvalidArgument for an
// unknown name.
absl::StatusOr<std::vector<Check>> SelectChecks(const std::vector<std::string>& ids);

// Calls `progress` with a check's name before it is made.
Diagnosis Examine(const std::vector<Check>& checks, const Observed& observed,
                  absl::FunctionRef<void(const char*)> progress);

// {"findings": [{"check": ..., "level": "ok|notChecked|warning|problem", "message": ...,
// "fix": ...}], "problems": N, "warnings": N}.
std::string RenderDiagnosisJson(const Diagnosis& diagnosis);

// Names and titles of all checks.
std::string RenderCheckList();

}  // namespace svnet::client
