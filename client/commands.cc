#include "client/commands.h"

#include <sys/types.h>
#include <unistd.h>

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
          .message = std::move(message)};
}

Outcome ShowJson(const google::protobuf::Message& response) {
  absl::StatusOr<std::string> json = ToJson(response);
  if (!json.ok()) return BadAnswer(std::string(json.status().message()));
  return *std::move(json);
}

template <typename Response>
Outcome ShowAnswer(const Result<Response>& answer, Format format,
                   std::string (*for_people)(const Response&)) {
  if (const auto* failure = std::get_if<Failure>(&answer)) return *failure;
  const auto& response = std::get<Response>(answer);
  return format == Format::kJson ? ShowJson(response) : for_people(response);
}

Outcome ShowTap(const v1::Tap& tap, LeaseFormat lease_format, Format format) {
  if (lease_format == LeaseFormat::kJson || format == Format::kJson) return ShowJson(tap);
  if (lease_format == LeaseFormat::kTable) return RenderTap(tap);
  absl::StatusOr<std::string> text = RenderLease(tap, lease_format);
  if (text.ok()) return *std::move(text);
  return Failure{.exit_code = ExitCode::kRefused,
                 .code = "FAILED_PRECONDITION",
                 .reason = "",
                 .message = std::string(text.status().message())};
}

bool IsMeant(const v1::Tap& tap, const v1::GetTapRequest& which) {
  if (!which.tap_name().empty()) return tap.tap_name() == which.tap_name();
  const uid_t owner = which.has_owner_uid() ? which.owner_uid() : geteuid();
  return tap.vm_id() == which.vm_id() && tap.iface_id() == which.iface_id() &&
         tap.owner_uid() == owner;
}

Failure NoSuchLease(const v1::GetTapRequest& which) {
  return {.exit_code = ExitCode::kRefused,
          .code = "NOT_FOUND",
          .reason = "TAP_NOT_FOUND",
          .message = which.tap_name().empty() ? absl::StrCat("there is no TAP for ", which.vm_id(),
                                                             " ", which.iface_id())
                                              : absl::StrCat("there is no TAP ", which.tap_name()),
          .hint = "svnetctl list shows your TAPs"};
}

// From a svnetd that does not know GetTap yet.
Outcome ShowOneOfAll(Connection& svnetd, const ShowLease& show, Format format) {
  const auto answer = ListAllPages(svnetd, v1::ListTapsRequest());
  if (const auto* failure = std::get_if<Failure>(&answer)) return *failure;
  for (const v1::Tap& tap : std::get<v1::ListTapsResponse>(answer).taps()) {
    if (IsMeant(tap, show.which)) return ShowTap(tap, show.format, format);
  }
  return NoSuchLease(show.which);
}

}  // namespace

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

Outcome Create(Connection& svnetd, const CreateLease& create, Format format) {
  const auto answer = svnetd.Call(&Stub::CreateTap, create.request);
  if (create.format == LeaseFormat::kTable) return ShowAnswer(answer, format, RenderCreated);
  if (const auto* failure = std::get_if<Failure>(&answer)) return *failure;
  return ShowTap(std::get<v1::CreateTapResponse>(answer).tap(), create.format, format);
}

Outcome Show(Connection& svnetd, const ShowLease& show, Format format) {
  const auto answer = svnetd.Call(&Stub::GetTap, show.which);
  if (const auto* response = std::get_if<v1::GetTapResponse>(&answer)) {
    return ShowTap(response->tap(), show.format, format);
  }
  const Failure& failure = std::get<Failure>(answer);
  if (failure.code == "UNIMPLEMENTED") return ShowOneOfAll(svnetd, show, format);
  return failure.reason == "TAP_NOT_FOUND" ? NoSuchLease(show.which) : failure;
}

Outcome Update(Connection& svnetd, const v1::UpdateTapRequest& request, Format format) {
  const auto answer = svnetd.Call(&Stub::UpdateTap, request);
  if (const auto* failure = std::get_if<Failure>(&answer)) return *failure;
  return ShowTap(std::get<v1::UpdateTapResponse>(answer).tap(), LeaseFormat::kTable, format);
}

Outcome Remove(Connection& svnetd, const v1::RemoveTapRequest& request, Format format) {
  return ShowAnswer(svnetd.Call(&Stub::RemoveTap, request), format, RenderRemoved);
}

Outcome List(Connection& svnetd, const v1::ListTapsRequest& request, Format format) {
  return ShowAnswer(ListAllPages(svnetd, request), format, RenderTaps);
}

Outcome BootArgs(Connection& svnetd, const v1::GetBootArgsRequest& request, Format format) {
  return ShowAnswer(svnetd.Call(&Stub::GetBootArgs, request), format, RenderBootArgs);
}

Outcome Cleanup(Connection& svnetd, const v1::CleanupRequest& request, Format format) {
  return ShowAnswer(svnetd.Call(&Stub::Cleanup, request), format, RenderCleanup);
}

Outcome Status(Connection& svnetd, const v1::GetNetworkRequest& request, Format format) {
  return ShowAnswer(svnetd.Call(&Stub::GetNetwork, request), format, RenderNetwork);
}

Outcome Metrics(Connection& svnetd, const v1::GetMetricsRequest& request, Format format) {
  return ShowAnswer(svnetd.Call(&Stub::GetMetrics, request), format, RenderMetrics);
}

Outcome RunCommand(Connection& svnetd, const Request& request, Format format) {
  struct Runner {
    Connection& svnetd;
    Format format;
    Outcome operator()(const CreateLease& c) { return Create(svnetd, c, format); }
    Outcome operator()(const ShowLease& s) { return Show(svnetd, s, format); }
    Outcome operator()(const v1::UpdateTapRequest& r) { return Update(svnetd, r, format); }
    Outcome operator()(const v1::RemoveTapRequest& r) { return Remove(svnetd, r, format); }
    Outcome operator()(const v1::ListTapsRequest& r) { return List(svnetd, r, format); }
    Outcome operator()(const v1::GetBootArgsRequest& r) { return BootArgs(svnetd, r, format); }
    Outcome operator()(const v1::CleanupRequest& r) { return Cleanup(svnetd, r, format); }
    Outcome operator()(const v1::GetNetworkRequest& r) { return Status(svnetd, r, format); }
    Outcome operator()(const v1::GetMetricsRequest& r) { return Metrics(svnetd, r, format); }
  };
  return std::visit(Runner{svnetd, format}, request);
}

}  // namespace svnet::client
