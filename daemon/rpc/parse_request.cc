#include "daemon/rpc/parse_request.h"

#include <google/protobuf/empty.pb.h>

#include "daemon/base/error.h"

namespace svnet {

// Bytes that are a message, but not this one, can only hold text that is not UTF-8.
absl::Status ExplainUnparsable(const std::string& bytes) {
  google::protobuf::Empty any_message;
  if (any_message.ParseFromString(bytes)) {
    return Error(Reason::kInvalidId, "the request holds text that is not UTF-8");
  }
  return Error(Reason::kInvalidRequest, "the request is not a protobuf message");
}

}  // namespace svnet
