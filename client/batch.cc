#include "client/batch.h"

#include <algorithm>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/json.h"

namespace svnet::client {
namespace {

std::string NameMembers(const LeaseName& name) {
  return absl::StrCat("\"vmId\":", JsonString(name.vm), ",\"ifaceId\":", JsonString(name.iface),
                      ",");
}

Failure NotJson(const absl::Status& status) {
  return {.exit_code = ExitCode::kRefused,
          .code = "INTERNAL",
          .reason = "",
          .message = std::string(status.message())};
}

// One object a line.
std::string RenderArray(const std::vector<std::string>& objects) {
  if (objects.empty()) return "[]";
  return absl::StrCat("[\n  ", absl::StrJoin(objects, ",\n  "), "\n ]");
}

}  // namespace

void Batch::AddTap(const LeaseName& name, const v1::Tap& tap) { Add(name, tap, ""); }

void Batch::AddAnswer(const LeaseName& name, const google::protobuf::Message& answer) {
  Add(name, answer, NameMembers(name));
}

void Batch::Add(const LeaseName& name, const google::protobuf::Message& answer,
                const std::string& first_members) {
  if (format_ != Format::kJson) return;
  absl::StatusOr<std::string> json = several_ ? ToJsonLine(answer) : ToJson(answer);
  if (!json.ok()) return AddFailure(name, NotJson(json.status()));
  if (several_) {
    json->pop_back();  // the newline
    json->insert(1, first_members);
  }
  json_.push_back(*std::move(json));
}

void Batch::AddFailure(const LeaseName& name, Failure failure) {
  exit_code_ = std::max(exit_code_, failure.exit_code);
  failures_.emplace_back(name, std::move(failure));
}

Report Batch::Finish(const std::string& text) const {
  if (!several_ && !failures_.empty()) return MakeReport(failures_.front().second, format_);
  const bool json = format_ == Format::kJson;
  if (!several_) return {ExitCode::kDone, json ? json_.front() : text, ""};
  return {exit_code_, json ? RenderJson() : text, RenderErrors()};
}

std::string Batch::RenderErrors() const {
  std::string text;
  for (auto [name, failure] : failures_) {
    const std::string lease = Describe(name);
    if (!absl::StrContains(failure.message, lease)) {
      failure.message = absl::StrCat(lease, ": ", failure.message);
    }
    text += RenderForPeople(failure);
  }
  return text;
}

std::string Batch::RenderJson() const {
  std::string json = absl::StrCat("{\n \"taps\": ", RenderArray(json_));
  std::vector<std::string> errors;
  for (const auto& [name, failure] : failures_) {
    errors.push_back(absl::StrCat("{", NameMembers(name), MembersOf(failure, ","), "}"));
  }
  if (!errors.empty()) absl::StrAppend(&json, ",\n \"errors\": ", RenderArray(errors));
  return json + "\n}\n";
}

}  // namespace svnet::client
