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
  // What it is about; none: the host.
  std::vector<std::string> networks = {};
};

// Names the networks, unless it is about "default" alone.
std::string MessageOf(const NamedFinding& named);

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

// Makes each check that is about one network for each that is to be examined.
//
// Calls `progress` with a check's name before it is made.
Diagnosis Examine(const std::vector<Check>& checks, const Observed& observed,
                  absl::FunctionRef<void(const char*)> progress);

// {"findings": [{"check": ..., "level": "ok|notChecked|warning|problem", "message": ...,
// "fix": ..., "networks": [...]}], "problems": N, "warnings": N}.
std::string RenderDiagnosisJson(const Diagnosis& diagnosis);

// Names and titles of all checks.
std::string RenderCheckList();

}  // namespace svnet::client
