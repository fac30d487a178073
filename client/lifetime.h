// A lease's lifetime, as --lifetime says it.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "svnet/v1/network.pb.h"

namespace svnet::client {

// "persistent", "process:PID", "until-detached" or "until-detached:GRACE", where GRACE
// is a number of seconds or has a unit: 10, 10s, 1m30s. InvalidArgument otherwise.
// Which process and how long a grace are allowed is the daemon's business.
absl::StatusOr<v1::Lifetime> ParseLifetime(const std::string& text);

// As ParseLifetime has it.
std::string FormatLifetime(const v1::Lifetime& lifetime);

}  // namespace svnet::client
