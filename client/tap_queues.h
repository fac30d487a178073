// A lease's TAP, opened by svnetd (OpenTapRequest in the contract).
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/failure.h"
#include "daemon/base/unique_fd.h"

namespace svnet::client {

// All queues of the caller's TAP of that name, closed on exec. `socket` is where svnetd is called;
// `timeout` is for each step.
Result<std::vector<UniqueFd>> OpenTap(const std::string& socket, absl::Duration timeout,
                                      const std::string& tap_name);

}  // namespace svnet::client
