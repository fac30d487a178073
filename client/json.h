// proto3 JSON, for scripts.
#pragma once

#include <google/protobuf/message.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/failure.h"

namespace svnet::client {

// `message` on several lines with a newline at the end. Fields with default values are included, so
// that scripts need not know the defaults. InvalidArgument if JSON cannot represent it (a duration
// of a million years).
absl::StatusOr<std::string> ToJson(const google::protobuf::Message& message);

// The same, for a command that has nothing else to show.
Outcome ShowJson(const google::protobuf::Message& message);

// The same as ToJson() on one line.
absl::StatusOr<std::string> ToJsonLine(const google::protobuf::Message& message);

// `text` with its quotes. JSON holds Unicode only: text that is not UTF-8 is shown as Printable()
// shows it.
std::string JsonString(absl::string_view text);

}  // namespace svnet::client
