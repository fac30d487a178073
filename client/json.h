// proto3 JSON, for scripts.
#pragma once

#include <google/protobuf/message.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace svnet::client {

// `message` on several lines with a newline at the end. Fields that hold their
// default are there too, so that a script need not know the defaults.
// InvalidArgument if JSON has no way to say it (a duration of a million years).
absl::StatusOr<std::string> ToJson(const google::protobuf::Message& message);

// The same on one line.
absl::StatusOr<std::string> ToJsonLine(const google::protobuf::Message& message);

// `text` with its quotes. JSON holds Unicode only: text that is not UTF-8 is
// shown as Printable() has it.
std::string JsonString(absl::string_view text);

}  // namespace svnet::client
