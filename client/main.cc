// svnetctl: svnetd's API for people and scripts. Wiring only:
//
//   ParseCommandLine -> Connection::Open -> RunCommand -> MakeReport -> Print
//                    -> RunProgram, Watch, RunDoctor: these print more
#include <unistd.h>

#include <string>
#include <variant>

#include "absl/strings/str_cat.h"
#include "client/command_line.h"
#include "client/commands.h"
#include "client/connection.h"
#include "client/doctor/session.h"
#include "client/failure.h"
#include "client/run.h"
#include "client/standard_streams.h"
#include "client/terminal.h"
#include "client/watch.h"

namespace svnet::client {
namespace {

// The exit code. A command whose result cannot be printed has failed for its caller.
ExitCode Print(const Report& report) {
  const absl::Status printed = WriteFully(STDOUT_FILENO, report.standard_output);
  WriteFully(STDERR_FILENO, report.standard_error).IgnoreError();
  if (printed.ok()) return report.exit_code;
  WriteFully(STDERR_FILENO,
             absl::StrCat("svnetctl: cannot write to standard output: ", printed.message(), "\n"))
      .IgnoreError();
  return report.exit_code == ExitCode::kDone ? ExitCode::kRefused : report.exit_code;
}

// Runs each kind of command and returns its exit code.
struct Executor {
  const Invocation& invocation;

  int Report(const Outcome& outcome) const {
    return static_cast<int>(Print(MakeReport(outcome, invocation.format)));
  }

  Result<Connection> Open() const {
    return Connection::Open(invocation.socket, invocation.timeout);
  }

  int operator()(const Request& request) const {
    Result<Connection> opened = Open();
    if (const auto* failure = std::get_if<Failure>(&opened)) return Report(*failure);
    return Report(RunCommand(std::get<Connection>(opened), request, invocation.format));
  }

  int operator()(const ProgramRun& run) const {
    const Result<int> ended = RunProgram(invocation.socket, invocation.timeout, run);
    if (const auto* failure = std::get_if<Failure>(&ended)) return Report(*failure);
    return std::get<int>(ended);
  }

  int operator()(const v1::WatchTapsRequest& request) const {
    Result<Connection> opened = Open();
    if (const auto* failure = std::get_if<Failure>(&opened)) return Report(*failure);
    return Report(Watch(std::get<Connection>(opened), request, invocation.format,
                        [](const std::string& line) { return WriteFully(STDOUT_FILENO, line); }));
  }

  int operator()(const DoctorRun& run) const {
    return static_cast<int>(Print(RunDoctor(invocation.socket, invocation.timeout, run,
                                            invocation.format, WantsColour(STDOUT_FILENO))));
  }
};

int Run(int argc, const char* const* argv) {
  const std::variant<Invocation, Report> parsed = ParseCommandLine(argc, argv);
  if (const auto* report = std::get_if<Report>(&parsed)) return static_cast<int>(Print(*report));
  const auto& invocation = std::get<Invocation>(parsed);
  return std::visit(Executor{invocation}, invocation.command);
}

}  // namespace
}  // namespace svnet::client

int main(int argc, char** argv) {
  svnet::client::PrepareStandardStreams();
  return svnet::client::Run(argc, argv);
}
