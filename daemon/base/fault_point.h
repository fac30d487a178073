// Places between two steps at which a test has svnetd die, or the next step fail.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace svnet {

// Call it right before what `name` names. In a build without SVNET_FAULT_POINTS it does
// nothing. In one with them, environment variables say what happens:
//
//   SVNET_FAULT=NAME:COUNT:die   at the COUNTth time (from 1) that NAME is passed, SIGKILL
//   SVNET_FAULT=NAME:COUNT:stop  the same, SIGSTOP: it goes on after SIGCONT
//   SVNET_FAULT=NAME:COUNT:fail  the same, but it returns an error, as the step would
//   SVNET_FAULT=NAME:COUNT:unsupported  the error of a kernel that does not know the step
//   SVNET_FAULT_TRACE=FILE       each name that is passed, a line each
#ifdef SVNET_FAULT_POINTS
absl::Status FaultPoint(absl::string_view name);
#else
inline absl::Status FaultPoint(absl::string_view /*name*/) { return absl::OkStatus(); }
#endif

}  // namespace svnet
