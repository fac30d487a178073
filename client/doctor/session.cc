#include "client/doctor/session.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/connection.h"
#include "client/doctor/consequences.h"
#include "client/doctor/doctor.h"
#include "client/doctor/finding.h"
#include "client/doctor/live_host.h"
#include "client/doctor/packet_test.h"
#include "client/doctor/verdict.h"
#include "client/failure.h"
#include "client/standard_streams.h"

namespace svnet::client {
namespace {

// Each message overwrites the last one on the terminal.
void ShowProgress(bool terminal, const std::string& what) {
  if (!terminal) return;
  WriteFully(STDERR_FILENO, absl::StrCat("\r\x1b[K", what)).IgnoreError();
}

// An svnetd that does not list them has one.
Result<v1::ListNetworksResponse> ListNetworks(Connection& svnetd) {
  auto list = svnetd.Call(&Connection::Stub::ListNetworks, v1::ListNetworksRequest());
  const auto* failure = std::get_if<Failure>(&list);
  if (failure == nullptr || failure->code != "UNIMPLEMENTED") return list;
  const auto network = svnetd.Call(&Connection::Stub::GetNetwork, v1::GetNetworkRequest());
  if (const auto* no_network = std::get_if<Failure>(&network)) return *no_network;
  v1::ListNetworksResponse only;
  *only.add_networks() = std::get<v1::GetNetworkResponse>(network);
  return only;
}

Answers AskSvnetd(const std::string& socket, absl::Duration timeout) {
  Answers answers = {.socket = socket, .failure = std::nullopt, .networks = {}, .taps = {}};
  Result<Connection> svnetd = Connection::Open(socket, timeout);
  answers.failure = FailureOf(svnetd);
  if (answers.failure.has_value()) return answers;
  auto& connection = std::get<Connection>(svnetd);
  const auto networks = ListNetworks(connection);
  answers.failure = FailureOf(networks);
  if (answers.failure.has_value()) return answers;
  const auto& all = std::get<v1::ListNetworksResponse>(networks).networks();
  answers.networks.assign(all.begin(), all.end());
  const auto taps = ListAllPages(connection, v1::ListTapsRequest());
  answers.failure = FailureOf(taps);
  if (answers.failure.has_value()) return answers;
  const auto& list = std::get<v1::ListTapsResponse>(taps).taps();
  answers.taps.assign(list.begin(), list.end());
  return answers;
}

bool IsMissing(const std::string& network, const Answers& answers) {
  if (network.empty() || answers.failure.has_value()) return false;
  return std::none_of(answers.networks.begin(), answers.networks.end(),
                      [&](const auto& each) { return NameOf(each) == network; });
}

Failure NoSuchNetwork(const std::string& name, const Answers& answers) {
  std::vector<std::string> names;
  for (const auto& network : answers.networks) names.push_back(NameOf(network));
  return {.exit_code = ExitCode::kRefused,
          .code = "NOT_FOUND",
          .reason = "NETWORK_NOT_FOUND",
          .message = absl::StrCat("there is no network '", name, "' that this user may use"),
          .hint = names.empty() ? "" : absl::StrCat("there is ", absl::StrJoin(names, ", "))};
}

// Whether the packet test's finding is wanted. What keeps the rest from being tested always is.
bool IsWanted(const NamedFinding& named, const DoctorRun& run) {
  if (named.finding.level >= Level::kWarning) return true;
  const auto& checks = run.checks;
  const bool names_some =
      std::any_of(checks.begin(), checks.end(), [](const auto& id) { return IsPacketCheck(id); });
  return !names_some || std::find(checks.begin(), checks.end(), named.check) != checks.end();
}

// On each network that is examined.
void TestPackets(const std::string& socket, absl::Duration timeout, const DoctorRun& run,
                 Observed observed, Diagnosis* diagnosis) {
  if (observed.examined.empty() && observed.svnetd.failure.has_value()) {
    diagnosis->findings.push_back(
        {"packet-lease", Problem(observed.svnetd.failure->message, "").front()});
  }
  for (const v1::GetNetworkResponse& network : observed.examined) {
    LookAt(network, observed);
    for (NamedFinding& named : RunPacketTest(socket, timeout, run.target, observed)) {
      named.networks = {NameOf(network)};
      if (IsWanted(named, run)) diagnosis->findings.push_back(std::move(named));
    }
  }
}

Diagnosis Diagnose(Answers answers, absl::Duration timeout, const DoctorRun& run,
                   const std::vector<Check>& checks, bool terminal) {
  const LiveHost host;
  const std::string socket = answers.socket;
  const Observed observed = Observe(host, std::move(answers), run.network);
  Diagnosis diagnosis = Examine(checks, observed, [&](const char* check) {
    ShowProgress(terminal, absl::StrCat("checking ", check, " ..."));
  });
  if (run.packet_test) {
    ShowProgress(terminal, "sending packets ...");
    TestPackets(socket, timeout, run, observed, &diagnosis);
  }
  ShowProgress(terminal, "");
  return WithoutConsequences(std::move(diagnosis));
}

// 0: unknown.
size_t TerminalWidth() {
  winsize size = {};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

std::string Render(const Diagnosis& diagnosis, const DoctorRun& run, Format format, bool terminal) {
  if (format == Format::kJson) return RenderDiagnosisJson(diagnosis);
  // A caller who names checks wants all their results.
  return RenderDiagnosis(
      diagnosis,
      {.colour = terminal, .all = run.all || !run.checks.empty(), .width = TerminalWidth()});
}

absl::Status CheckPacketChecks(const DoctorRun& run) {
  const auto named = std::find_if(run.checks.begin(), run.checks.end(),
                                  [](const std::string& id) { return IsPacketCheck(id); });
  if (run.packet_test || named == run.checks.end()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("'", *named, "' sends packets: add --packet-test"));
}

}  // namespace

Report RunDoctor(const std::string& socket, absl::Duration timeout, const DoctorRun& run,
                 Format format, bool terminal) {
  if (run.list) return {ExitCode::kDone, RenderCheckList(), ""};
  const absl::StatusOr<std::vector<Check>> checks = SelectChecks(run.checks);
  absl::Status wrong = checks.status();
  wrong.Update(CheckPacketChecks(run));
  if (!wrong.ok()) {
    return MakeReport(Failure{.exit_code = ExitCode::kUsage,
                              .code = "INVALID_ARGUMENT",
                              .reason = "",
                              .message = std::string(wrong.message()),
                              .hint = "svnetctl doctor --list shows all checks"},
                      format);
  }
  ShowProgress(terminal, "asking svnetd ...");
  Answers answers = AskSvnetd(socket, timeout);
  if (IsMissing(run.network, answers)) {
    ShowProgress(terminal, "");
    return MakeReport(NoSuchNetwork(run.network, answers), format);
  }
  const Diagnosis diagnosis = Diagnose(std::move(answers), timeout, run, *checks, terminal);
  return {diagnosis.Count(Level::kProblem) > 0 ? ExitCode::kRefused : ExitCode::kDone,
          Render(diagnosis, run, format, terminal), ""};
}

}  // namespace svnet::client
