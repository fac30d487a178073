// The command line of svnetctl.
#pragma once

#include <string>
#include <variant>

#include "absl/time/time.h"
#include "client/commands.h"
#include "client/failure.h"

namespace svnet::client {

struct Invocation {
  // Fits sockaddr_un.
  std::string socket;
  // The timeout of the whole command, in whole seconds, at least one.
  absl::Duration timeout;
  Format format = Format::kPeople;
  Command command;
};

// What to do, or, when there is nothing to do (--help, --version, a usage error),
// what to print. Reads the environment (SVNET_SOCKET) and the account database
// (names of users and groups).
std::variant<Invocation, Report> ParseCommandLine(int argc, const char* const* argv);

}  // namespace svnet::client
