// Where the queues of TAPs are handed out.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace svnet {

// It stands beside the socket where svnetd is called: of /run/svnet/svnetd.sock, it is
// /run/svnet/tap.sock; of any other PATH, PATH.tap. svnetd and svnetctl both know it by that.
std::string TapSocketOf(absl::string_view socket);

}  // namespace svnet
