// svnetctl: svnetd's API for people and scripts. Wiring only:
//
//   ParseCommandLine -> Connection::Open -> RunCommand -> MakeReport -> Print
//                    -> RunProgram, Watch, RunDoctor: these print more
#include <unistd.h>

#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/command_line.h"
#include "client/commands.h"
#include "client/connection.h"
#include "client/doctor/session.h"
#include "client/failure.h"
#include "client/run.h"
#include "client/standard_streams.h"
#include "client/terminal.h"
#include "client/wait.h"
#include "client/watch.h"

namespace svnet::client {
namespace {

// Erases a terminal, and begins at its top (ECMA-48).
constexpr char kEraseScreen[] = "\x1b[H\x1b[2J";

// The exit code. A command whose result cannot be printed has failed for its caller, unless the
// caller has read enough.
ExitCode Print(const Report& report) {
  const absl::Status printed = WriteFully(STDOUT_FILENO, report.standard_output);
  WriteFully(STDERR_FILENO, report.standard_error).IgnoreError();
  if (printed.ok() || absl::IsCancelled(printed)) return report.exit_code;
  WriteFully(STDERR_FILENO,
             absl::StrCat("svnetctl: cannot write to standard output: ", printed.message(), "\n"))
      .IgnoreError();
  return report.exit_code == ExitCode::kDone ? ExitCode::kRefused : report.exit_code;
}

void Say(const std::string& text) {
  WriteFully(STDERR_FILENO, absl::StrCat("svnetctl: ", text, "\n")).IgnoreError();
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
    return static_cast<int>(
        Print(RunCommand(std::get<Connection>(opened), request, invocation.format)));
  }

  int operator()(const ProgramRun& run) const {
    const Result<int> ended = RunProgram(invocation.socket, invocation.timeout, run);
    if (const auto* failure = std::get_if<Failure>(&ended)) return Report(*failure);
    return std::get<int>(ended);
  }

  int operator()(const WatchRun& watch) const {
    ExitWhenNobodyReads();
    const bool erase = watch.list.has_value() && isatty(STDOUT_FILENO) == 1;
    const auto open = [this] { return Open(); };
    const auto print = [](const std::string& text) { return WriteFully(STDOUT_FILENO, text); };
    return Report(
        Watch(watch, invocation.format, invocation.timeout,
              {.open = open, .print = print, .say = Say, .erase = erase ? kEraseScreen : ""}));
  }

  int operator()(const WaitRun& wait) const {
    return Report(
        Wait([this] { return Open(); }, wait, invocation.timeout, invocation.format, Say));
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
