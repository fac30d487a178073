// svnetctl: svnetd's API for people and scripts. Wiring only:
//
//   ParseCommandLine -> Connection::Open -> RunCommand -> MakeReport -> Print
#include <unistd.h>

#include <variant>

#include "absl/strings/str_cat.h"
#include "client/command_line.h"
#include "client/commands.h"
#include "client/connection.h"
#include "client/failure.h"
#include "client/standard_streams.h"

namespace svnet::client {
namespace {

Outcome Execute(const Invocation& invocation) {
  Result<Connection> opened = Connection::Open(invocation.socket, invocation.timeout);
  if (const auto* failure = std::get_if<Failure>(&opened)) return *failure;
  return RunCommand(std::get<Connection>(opened), invocation.request, invocation.format);
}

Report Run(int argc, const char* const* argv) {
  const std::variant<Invocation, Report> parsed = ParseCommandLine(argc, argv);
  if (const auto* report = std::get_if<Report>(&parsed)) return *report;
  const auto& invocation = std::get<Invocation>(parsed);
  return MakeReport(Execute(invocation), invocation.format);
}

// The exit code. What could not be printed was not done, for all that the caller
// knows.
ExitCode Print(const Report& report) {
  const absl::Status printed = WriteFully(STDOUT_FILENO, report.standard_output);
  WriteFully(STDERR_FILENO, report.standard_error).IgnoreError();
  if (printed.ok()) return report.exit_code;
  WriteFully(STDERR_FILENO,
             absl::StrCat("svnetctl: cannot write to standard output: ", printed.message(), "\n"))
      .IgnoreError();
  return report.exit_code == ExitCode::kDone ? ExitCode::kRefused : report.exit_code;
}

}  // namespace
}  // namespace svnet::client

int main(int argc, char** argv) {
  svnet::client::PrepareStandardStreams();
  return static_cast<int>(svnet::client::Print(svnet::client::Run(argc, argv)));
}
