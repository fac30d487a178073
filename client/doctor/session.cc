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

Answers AskSvnetd(const std::string& socket, absl::Duration timeout) {
  Answers answers = {.socket = socket, .failure = std::nullopt, .network = {}, .taps = {}};
  Result<Connection> svnetd = Connection::Open(socket, timeout);
  answers.failure = FailureOf(svnetd);
  if (answers.failure.has_value()) return answers;
  auto& connection = std::get<Connection>(svnetd);
  const auto network = connection.Call(&Connection::Stub::GetNetwork, v1::GetNetworkRequest());
  answers.failure = FailureOf(network);
  if (answers.failure.has_value()) return answers;
  answers.network = std::get<v1::GetNetworkResponse>(network);
  const auto taps = ListAllPages(connection, v1::ListTapsRequest());
  answers.failure = FailureOf(taps);
  if (answers.failure.has_value()) return answers;
  const auto& list = std::get<v1::ListTapsResponse>(taps).taps();
  answers.taps.assign(list.begin(), list.end());
  return answers;
}

// Whether the packet test's finding is wanted. What keeps the rest from being tested always is.
bool IsWanted(const NamedFinding& named, const DoctorRun& run) {
  if (named.finding.level >= Level::kWarning) return true;
  const auto& checks = run.checks;
  const bool names_some =
      std::any_of(checks.begin(), checks.end(), [](const auto& id) { return IsPacketCheck(id); });
  return !names_some || std::find(checks.begin(), checks.end(), named.check) != checks.end();
}

void TestPackets(const std::string& socket, absl::Duration timeout, const DoctorRun& run,
                 const Observed& observed, Diagnosis* diagnosis) {
  for (NamedFinding& named : RunPacketTest(socket, timeout, run.target, observed)) {
    if (IsWanted(named, run)) diagnosis->findings.push_back(std::move(named));
  }
}

Diagnosis Diagnose(const std::string& socket, absl::Duration timeout, const DoctorRun& run,
                   const std::vector<Check>& checks, bool terminal) {
  const LiveHost host;
  ShowProgress(terminal, "asking svnetd ...");
  const Observed observed = Observe(host, AskSvnetd(socket, timeout));
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
  const Diagnosis diagnosis = Diagnose(socket, timeout, run, *checks, terminal);
  return {diagnosis.Count(Level::kProblem) > 0 ? ExitCode::kRefused : ExitCode::kDone,
          Render(diagnosis, run, format, terminal), ""};
}

}  // namespace svnet::client
