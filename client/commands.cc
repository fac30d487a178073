#include "client/commands.h"

#include <unistd.h>

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/batch.h"
#include "client/create.h"
#include "client/json.h"
#include "client/output.h"
#include "client/text.h"

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

// The lease in a format for a program.
Outcome RenderForProgram(const v1::Tap& tap, LeaseFormat format) {
  absl::StatusOr<std::string> text = RenderLease(tap, format);
  if (text.ok()) return *std::move(text);
  return Failure{.exit_code = ExitCode::kRefused,
                 .code = "FAILED_PRECONDITION",
                 .reason = "",
                 .message = std::string(text.status().message())};
}

using NamedTap = std::pair<LeaseName, v1::Tap>;

// All of `taps` that the program can use; the others fail.
std::string RenderForPrograms(const std::vector<NamedTap>& taps, LeaseFormat format, Batch& batch) {
  std::string all;
  for (const auto& [name, tap] : taps) {
    const Outcome text = RenderForProgram(tap, format);
    if (const auto* failure = std::get_if<Failure>(&text)) {
      batch.AddFailure(name, *failure);
    } else {
      all += std::get<std::string>(text);
    }
  }
  return all;
}

// One is shown with all that its VMM needs, several as `list` shows them.
std::string RenderForPeople(const std::vector<v1::CreateTapResponse>& created, bool several) {
  if (created.empty()) return "";
  return several ? RenderAllCreated(created) : RenderCreated(created.front());
}

std::string RenderAll(const std::vector<NamedTap>& taps) {
  return absl::StrJoin(
      taps, "\n", [](std::string* out, const NamedTap& tap) { *out += RenderTap(tap.second); });
}

// Puts the answer into `batch`. The response, or nullptr if it is a failure.
template <typename Response>
const Response* Take(const Result<Response>& answer, const LeaseName& name, Batch& batch) {
  if (const auto* failure = std::get_if<Failure>(&answer)) {
    batch.AddFailure(name, IsMissing(answer) ? NoSuchLease(name) : *failure);
  }
  return std::get_if<Response>(&answer);
}

bool IsMeant(const v1::Tap& tap, const LeaseName& name) {
  if (!name.tap.empty()) return tap.tap_name() == name.tap;
  return tap.vm_id() == name.vm && tap.iface_id() == name.iface &&
         tap.owner_uid() == name.owner.value_or(geteuid());
}

// From a svnetd that does not know GetTap yet.
Result<v1::GetTapResponse> FindAmongAll(Connection& svnetd, const LeaseName& name) {
  const auto answer = ListAllPages(svnetd, v1::ListTapsRequest());
  if (const auto* failure = std::get_if<Failure>(&answer)) return *failure;
  v1::GetTapResponse found;
  for (const v1::Tap& tap : std::get<v1::ListTapsResponse>(answer).taps()) {
    if (!IsMeant(tap, name)) continue;
    *found.mutable_tap() = tap;
    return found;
  }
  return NoSuchLease(name);
}

Result<v1::GetTapResponse> GetTap(Connection& svnetd, LeaseName& name) {
  Result<v1::GetTapResponse> answer =
      CallForLease(svnetd, name, &Stub::GetTap, v1::GetTapRequest());
  const auto* failure = std::get_if<Failure>(&answer);
  const bool unknown = failure != nullptr && failure->code == "UNIMPLEMENTED";
  return unknown ? FindAmongAll(svnetd, name) : answer;
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

Report Create(Connection& svnetd, const CreateLeases& create, Format format) {
  Batch batch(create.vms.size(), format);
  std::vector<NamedTap> taps;
  std::vector<v1::CreateTapResponse> created;
  std::vector<v1::CreateTapRequest> requests(create.vms.size(), create.request);
  for (size_t i = 0; i < requests.size(); ++i) requests[i].set_vm_id(create.vms[i]);
  const auto answers = CreateAll(svnetd, requests);
  for (size_t i = 0; i < answers.size(); ++i) {
    const LeaseName name = {
        .vm = create.vms[i], .iface = create.request.iface_id(), .tap = "", .owner = {}};
    const v1::CreateTapResponse* response = Take(answers[i], name, batch);
    if (response == nullptr) continue;
    batch.AddTap(name, response->tap());
    taps.emplace_back(name, response->tap());
    created.push_back(*response);
  }
  if (create.format == LeaseFormat::kTable || format == Format::kJson) {
    return batch.Finish(RenderForPeople(created, batch.several()));
  }
  const std::string text = RenderForPrograms(taps, create.format, batch);
  return batch.Finish(text);
}

Report Show(Connection& svnetd, const ShowLeases& show, Format format) {
  std::vector<LeaseName> names = EachOf(show.which);
  Batch batch(names.size(), format);
  std::vector<NamedTap> taps;
  for (LeaseName& name : names) {
    if (batch.broken()) break;
    const auto answer = GetTap(svnetd, name);
    const v1::GetTapResponse* response = Take(answer, name, batch);
    if (response == nullptr) continue;
    batch.AddTap(name, response->tap());
    taps.emplace_back(name, response->tap());
  }
  if (show.format == LeaseFormat::kTable || format == Format::kJson) {
    return batch.Finish(RenderAll(taps));
  }
  const std::string text = RenderForPrograms(taps, show.format, batch);
  return batch.Finish(text);
}

Report Update(Connection& svnetd, const UpdateLease& update, Format format) {
  Batch batch(1, format);
  LeaseName name = update.which;
  const auto answer = CallForLease(svnetd, name, &Stub::UpdateTap, update.request);
  const v1::UpdateTapResponse* response = Take(answer, name, batch);
  if (response == nullptr) return batch.Finish("");
  batch.AddTap(name, response->tap());
  return batch.Finish(RenderTap(response->tap()));
}

Report Remove(Connection& svnetd, const RemoveLeases& remove, Format format) {
  std::vector<LeaseName> names = EachOf(remove.which);
  Batch batch(names.size(), format);
  std::string text;
  for (LeaseName& name : names) {
    if (batch.broken()) break;
    const auto answer = CallForLease(svnetd, name, &Stub::RemoveTap, v1::RemoveTapRequest());
    if (const auto* failure = std::get_if<Failure>(&answer)) {
      batch.AddFailure(name, *failure);
      continue;
    }
    const auto& response = std::get<v1::RemoveTapResponse>(answer);
    batch.AddAnswer(name, response);
    text += RenderRemoved(Describe(name), response);
    const std::string other = SuggestIface(name);
    if (!other.empty()) absl::StrAppend(&text, Printable(other), "\n");
  }
  return batch.Finish(text);
}

Report BootArgs(Connection& svnetd, const BootArgsOfLeases& boot_args, Format format) {
  std::vector<LeaseName> names = EachOf(boot_args.which);
  Batch batch(names.size(), format);
  std::string text;
  for (LeaseName& name : names) {
    if (batch.broken()) break;
    const auto answer = CallForLease(svnetd, name, &Stub::GetBootArgs, boot_args.request);
    const v1::GetBootArgsResponse* response = Take(answer, name, batch);
    if (response == nullptr) continue;
    batch.AddAnswer(name, *response);
    // Of several, which is whose must be said.
    if (batch.several()) absl::StrAppend(&text, Printable(name.vm), " ");
    text += RenderBootArgs(*response);
  }
  return batch.Finish(text);
}

Outcome Metrics(Connection& svnetd, const v1::GetMetricsRequest& request, Format format) {
  const auto answer = svnetd.Call(&Stub::GetMetrics, request);
  if (const auto* failure = std::get_if<Failure>(&answer)) return *failure;
  const auto& metrics = std::get<v1::GetMetricsResponse>(answer);
  return format == Format::kJson ? ShowJson(metrics) : RenderMetrics(metrics);
}

Report RunCommand(Connection& svnetd, const Request& request, Format format) {
  struct Runner {
    Connection& svnetd;
    Format format;
    Report operator()(const CreateLeases& c) { return Create(svnetd, c, format); }
    Report operator()(const ShowLeases& s) { return Show(svnetd, s, format); }
    Report operator()(const UpdateLease& u) { return Update(svnetd, u, format); }
    Report operator()(const RemoveLeases& r) { return Remove(svnetd, r, format); }
    Report operator()(const BootArgsOfLeases& b) { return BootArgs(svnetd, b, format); }
    Report operator()(const ListLeases& l) { return MakeReport(List(svnetd, l), format); }
    Report operator()(const ListNetworks& l) { return MakeReport(Networks(svnetd, l), format); }
    Report operator()(const CleanupLeases& c) {
      return MakeReport(Cleanup(svnetd, c, format), format);
    }
    Report operator()(const v1::GetNetworkRequest& r) {
      return MakeReport(Status(svnetd, r, format), format);
    }
    Report operator()(const v1::GetMetricsRequest& r) {
      return MakeReport(Metrics(svnetd, r, format), format);
    }
  };
  return std::visit(Runner{svnetd, format}, request);
}

}  // namespace svnet::client
