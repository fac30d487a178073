#include "client/commands.h"

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/json.h"
#include "client/output.h"

namespace svnet::client {
namespace {

using Stub = Connection::Stub;

// At most 1,000 TAPs a page and some 1,000 ports a bridge: a list that is not over
// by then never will be.
constexpr int kMaxPages = 100;

Failure BadAnswer(std::string message) {
  return {.exit_code = ExitCode::kRefused,
          .code = "INTERNAL",
          .reason = "",
          .message = std::move(message),
          .hint = "",
          .metadata = {}};
}

Outcome ShowJson(const google::protobuf::Message& response) {
  absl::StatusOr<std::string> json = ToJson(response);
  if (!json.ok()) return BadAnswer(std::string(json.status().message()));
  return *std::move(json);
}

template <typename Response>
Outcome Show(const Result<Response>& answer, Format format,
             std::string (*for_people)(const Response&)) {
  if (const auto* failure = std::get_if<Failure>(&answer)) return *failure;
  const auto& response = std::get<Response>(answer);
  return format == Format::kJson ? ShowJson(response) : for_people(response);
}

Result<v1::ListTapsResponse> ListAllPages(Connection& svnetd, v1::ListTapsRequest request) {
  v1::ListTapsResponse all;
  for (int page = 0; page < kMaxPages; ++page) {
    auto answer = svnetd.Call(&Stub::ListTaps, request);
    const auto* response = std::get_if<v1::ListTapsResponse>(&answer);
    if (response == nullptr) return answer;
    all.mutable_taps()->MergeFrom(response->taps());
    if (response->next_page_token().empty()) return all;
    request.set_page_token(response->next_page_token());
  }
  return BadAnswer(absl::StrCat("svnetd's list has not ended after ", kMaxPages, " pages"));
}

}  // namespace

Outcome Create(Connection& svnetd, const v1::CreateTapRequest& request, Format format) {
  return Show(svnetd.Call(&Stub::CreateTap, request), format, RenderCreated);
}

Outcome Remove(Connection& svnetd, const v1::RemoveTapRequest& request, Format format) {
  return Show(svnetd.Call(&Stub::RemoveTap, request), format, RenderRemoved);
}

Outcome List(Connection& svnetd, const v1::ListTapsRequest& request, Format format) {
  return Show(ListAllPages(svnetd, request), format, RenderTaps);
}

Outcome BootArgs(Connection& svnetd, const v1::GetBootArgsRequest& request, Format format) {
  return Show(svnetd.Call(&Stub::GetBootArgs, request), format, RenderBootArgs);
}

Outcome Cleanup(Connection& svnetd, const v1::CleanupRequest& request, Format format) {
  return Show(svnetd.Call(&Stub::Cleanup, request), format, RenderCleanup);
}

Outcome Status(Connection& svnetd, const v1::GetNetworkRequest& request, Format format) {
  return Show(svnetd.Call(&Stub::GetNetwork, request), format, RenderNetwork);
}

Outcome RunCommand(Connection& svnetd, const Request& request, Format format) {
  struct Runner {
    Connection& svnetd;
    Format format;
    Outcome operator()(const v1::CreateTapRequest& r) { return Create(svnetd, r, format); }
    Outcome operator()(const v1::RemoveTapRequest& r) { return Remove(svnetd, r, format); }
    Outcome operator()(const v1::ListTapsRequest& r) { return List(svnetd, r, format); }
    Outcome operator()(const v1::GetBootArgsRequest& r) { return BootArgs(svnetd, r, format); }
    Outcome operator()(const v1::CleanupRequest& r) { return Cleanup(svnetd, r, format); }
    Outcome operator()(const v1::GetNetworkRequest& r) { return Status(svnetd, r, format); }
  };
  return std::visit(Runner{svnetd, format}, request);
}

}  // namespace svnet::client
