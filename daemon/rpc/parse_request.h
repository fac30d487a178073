// Requests from their bytes.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace svnet {

// Why these bytes are not the message that they should be: INVALID_ID or INVALID_REQUEST.
absl::Status ExplainUnparsable(const std::string& bytes);

template <typename Request>
absl::StatusOr<Request> ParseRequest(const std::string& bytes) {
  Request request;
  if (!request.ParseFromString(bytes)) return ExplainUnparsable(bytes);
  return request;
}

}  // namespace svnet
