#include "client/doctor/session.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/connection.h"
#include "client/doctor/doctor.h"
#include "client/doctor/live_host.h"
#include "client/doctor/packet_test.h"
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
    for (NamedFinding& named : RunPacketTest(socket, timeout, run.target, observed)) {
      diagnosis.findings.push_back(std::move(named));
    }
  }
  ShowProgress(terminal, "");
  return diagnosis;
}

}  // namespace

Report RunDoctor(const std::string& socket, absl::Duration timeout, const DoctorRun& run,
                 Format format, bool terminal) {
  if (run.list) return {ExitCode::kDone, RenderCheckList(), ""};
  const absl::StatusOr<std::vector<Check>> checks = SelectChecks(run.checks);
  if (!checks.ok()) {
    return {ExitCode::kUsage, "", absl::StrCat("svnetctl: ", checks.status().message(), "\n")};
  }
  const Diagnosis diagnosis = Diagnose(socket, timeout, run, *checks, terminal);
  return {diagnosis.Count(Level::kProblem) > 0 ? ExitCode::kRefused : ExitCode::kDone,
          format == Format::kJson ? RenderDiagnosisJson(diagnosis)
                                  : RenderDiagnosis(diagnosis, terminal),
          ""};
}

}  // namespace svnet::client
