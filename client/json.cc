#include "client/json.h"

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/wrappers.pb.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/text.h"
#include "daemon/base/status_macros.h"

namespace svnet::client {
namespace {

absl::string_view View(google::protobuf::StringPiece text) { return {text.data(), text.size()}; }

absl::StatusOr<std::string> Render(const google::protobuf::Message& message,
                                   google::protobuf::util::JsonPrintOptions options) {
  options.always_print_primitive_fields = true;
  std::string json;
  auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  if (!status.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot convert the answer to JSON: ", View(status.message())));
  }
  return json;
}

}  // namespace

absl::StatusOr<std::string> ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  return Render(message, options);
}

Outcome ShowJson(const google::protobuf::Message& message) {
  absl::StatusOr<std::string> json = ToJson(message);
  if (json.ok()) return *std::move(json);
  return Failure{.exit_code = ExitCode::kRefused,
                 .code = "INTERNAL",
                 .reason = "",
                 .message = std::string(json.status().message())};
}

absl::StatusOr<std::string> ToJsonLine(const google::protobuf::Message& message) {
  SVNET_ASSIGN_OR_RETURN(const std::string json, Render(message, {}));
  return json + "\n";
}

std::string JsonString(absl::string_view text) {
  google::protobuf::StringValue value;
  value.set_value(IsUtf8(text) ? std::string(text) : Printable(text));
  std::string json;
  // Cannot fail: any UTF-8 is a JSON string.
  (void)google::protobuf::util::MessageToJsonString(value, &json);
  return json;
}

}  // namespace svnet::client
