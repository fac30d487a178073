// What the kernel answers to a request: that it did it, or which error it was. All pure.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "daemon/netlink/netlink_reader.h"

namespace svnet {

// An error of that errno: the code that absl::ErrnoToStatusCode gives for it, its words, and
// `more` in brackets unless that is empty. ErrnoOf knows the errno again.
absl::Status ErrnoStatus(int error, absl::string_view more = "");

// The errno of an error that ErrnoStatus made; 0 if it did not.
int ErrnoOf(const absl::Status& status);

// What an NLMSG_ERROR says, or an NLMSG_DONE: a dump that fails on its way says so there. An
// ErrnoStatus, with the kernel's extended text if there is one.
absl::Status ResultOf(const NetlinkReader& message);

}  // namespace svnet
