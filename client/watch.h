// `svnetctl watch`.
#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "client/connection.h"
#include "client/failure.h"

namespace svnet::client {

// Gives each event to `print` as a line, or, with kJson, as an object on a line, until
// svnetd ends the stream or `print` fails. Always ends with a Failure: the
// stream has no end of its own.
Failure Watch(Connection& svnetd, const v1::WatchTapsRequest& request, Format format,
              absl::FunctionRef<absl::Status(const std::string&)> print);

}  // namespace svnet::client
