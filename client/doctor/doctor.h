// `svnetctl doctor`.
#pragma once

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
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

// The checks with these names; all if `ids` is empty. InvalidArgument for an unknown name.
absl::StatusOr<std::vector<Check>> SelectChecks(const std::vector<std::string>& ids);

// Calls `progress` with a check's name before it is made.
Diagnosis Examine(const std::vector<Check>& checks, const Observed& observed,
                  absl::FunctionRef<void(const char*)> progress);

// For people: the worst last, then a summary. Ends with a newline.
std::string RenderDiagnosis(const Diagnosis& diagnosis, bool colour);

// {"findings": [{"check": ..., "level": "ok|notChecked|warning|problem", "message": ...,
// "fix": ...}], "problems": N, "warnings": N}.
std::string RenderDiagnosisJson(const Diagnosis& diagnosis);

// Names and titles of all checks.
std::string RenderCheckList();

}  // namespace svnet::client
