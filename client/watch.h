// `svnetctl watch` and `svnetctl list --watch`.
#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/commands.h"
#include "client/connection.h"
#include "client/failure.h"

namespace svnet::client {

struct WatchStreams {
  // Connects to svnetd.
  absl::FunctionRef<Result<Connection>()> open;
  // Standard output and standard error.
  absl::FunctionRef<absl::Status(const std::string&)> print;
  absl::FunctionRef<void(const std::string&)> say;
  // What erases the last list; empty: each stays, and an empty line separates them.
  std::string erase;
};

// Gives each event to `print` as a line, or, with kJson, as an object on a line; or the whole list,
// after each event. Ends when `print` fails, which is no failure if nobody reads it any more, and
// when svnetd is gone, for longer than `patience` if it is to reconnect.
Outcome Watch(const WatchRun& watch, Format format, absl::Duration patience,
              const WatchStreams& streams);

}  // namespace svnet::client
