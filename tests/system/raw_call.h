// gRPC by hand, for what no gRPC library would do.
#pragma once

#include <string>

#include "daemon/base/unique_fd.h"

namespace svnet::testing {

// What a gRPC client sends first: the HTTP/2 preface and its settings.
std::string RawStart();
// The call of a method, by default with no fields set, on stream `stream` (odd, rising).
std::string RawCall(const std::string& method, int stream, const std::string& message = "");
// The same, without the last byte of its message: the server waits for that.
std::string RawCallThatNeverEnds(const std::string& method, int stream);

// Sends it all, unless the other end has closed the connection: false.
bool SendAll(const UniqueFd& socket, const std::string& bytes);

// What comes until `text` is in it, the other end closes the connection, or 20 seconds
// are over.
std::string ReceiveUntil(const UniqueFd& socket, const std::string& text);
// Whether the other end closes the connection within 20 seconds.
bool IsClosedByPeer(const UniqueFd& socket);

}  // namespace svnet::testing
