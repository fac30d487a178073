#include "client/failure.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/json.h"
#include "client/text.h"

namespace svnet::client {
namespace {

std::string Member(absl::string_view key, absl::string_view value) {
  return absl::StrCat(JsonString(key), ": ", JsonString(value));
}

std::string RenderJson(const Failure& failure) {
  return absl::StrCat("{\n \"error\": {\n  ", MembersOf(failure, ",\n  "), "\n }\n}\n");
}

}  // namespace

std::string RenderForPeople(const Failure& failure) {
  std::string text = absl::StrCat("svnetctl: ", Printable(failure.message));
  if (!failure.reason.empty()) absl::StrAppend(&text, " [", Printable(failure.reason), "]");
  text += '\n';
  if (!failure.hint.empty()) absl::StrAppend(&text, Printable(failure.hint), "\n");
  return text;
}

// Written by hand, because google.protobuf.Struct prints its members in a random order.
std::string MembersOf(const Failure& failure, const std::string& gap) {
  std::vector<std::string> metadata;
  for (const auto& [key, value] : failure.metadata) metadata.push_back(Member(key, value));
  return absl::StrCat(Member("code", failure.code), gap, Member("reason", failure.reason), gap,
                      Member("message", failure.message), gap, "\"metadata\": {",
                      absl::StrJoin(metadata, ", "), "}");
}

Report MakeReport(const Outcome& outcome, Format format) {
  if (const auto* text = std::get_if<std::string>(&outcome)) return {ExitCode::kDone, *text, ""};
  const auto& failure = std::get<Failure>(outcome);
  return {failure.exit_code, format == Format::kJson ? RenderJson(failure) : "",
          RenderForPeople(failure)};
}

}  // namespace svnet::client
