// Commands that edit svnetd's file.
#pragma once

#include <string>

#include "client/doctor/observed.h"

namespace svnet::client {

// The command that sets a key of the network that is looked at, makes `then` ("" or a command) and
// restarts svnetd. The keys of "default" are at the top of the file, those of another network in
// its section, and the key may be there already: TOML does not allow a key twice. If the file
// cannot be read, or is not written as svnet's documents have it, it is for an editor, and a
// comment says what to write where.
std::string SetKeyAndRestart(const Observed& observed, const std::string& key,
                             const std::string& value, const std::string& then = "");

}  // namespace svnet::client
