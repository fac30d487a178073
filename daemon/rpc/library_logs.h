// What gRPC and Protobuf would write to standard error.
#pragma once

namespace svnet {

// Into svnetd's own log, at level debug, and escaped: a hostile caller can cause any
// number of such lines. Call it before anything of gRPC's.
void RouteLibraryLogs();

}  // namespace svnet
