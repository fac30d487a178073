// The grammar of --lifetime.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "svnet/v1/network.pb.h"

namespace svnet::client {

// "persistent", "process:PID", "until-detached" or "until-detached:GRACE", where GRACE is a number
// of seconds or has a unit: 10, 10s, 1m30s. InvalidArgument otherwise. The daemon decides which
// process and which grace period it accepts.
absl::StatusOr<v1::Lifetime> ParseLifetime(const std::string& text);

// In the same grammar.
std::string FormatLifetime(const v1::Lifetime& lifetime);

}  // namespace svnet::client
