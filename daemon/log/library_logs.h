// Redirects what Protobuf would write to standard error.
#pragma once

namespace svnet {

// Redirects it to svnetd's own log, at level debug and escaped: a hostile caller can cause
// any number of such lines.
void RouteLibraryLogs();

}  // namespace svnet
