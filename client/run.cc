#include "client/run.h"

#include <unistd.h>

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/child.h"
#include "client/connection.h"
#include "client/placeholders.h"
#include "client/standard_streams.h"

namespace svnet::client {
namespace {

using Stub = Connection::Stub;

// The exit codes that shells use.
constexpr int kCannotRun = 126;
constexpr int kNoSuchProgram = 127;

// The values of the placeholders.
struct Placed {
  std::string tap_name;
  std::map<std::string, std::string> values;
};

Failure UsageFailure(absl::string_view message) {
  return {.exit_code = ExitCode::kUsage,
          .code = "INVALID_ARGUMENT",
          .reason = "",
          .message = std::string(message)};
}

// Only the names, to check the arguments before a lease is created.
std::map<std::string, std::string> Names() {
  std::map<std::string, std::string> names;
  for (const char* name : {"tap", "mac", "ip", "gateway", "netmask", "prefix_length", "mtu", "vm",
                           "iface", "boot_args"}) {
    names[name] = "";
  }
  return names;
}

std::map<std::string, std::string> ValuesOf(const v1::Tap& tap, const std::string& boot_args) {
  return {{"tap", tap.tap_name()},          {"mac", tap.mac()},
          {"ip", tap.guest_ip()},           {"gateway", tap.gateway_ip()},
          {"netmask", tap.subnet_mask()},   {"prefix_length", absl::StrCat(tap.prefix_length())},
          {"mtu", absl::StrCat(tap.mtu())}, {"vm", tap.vm_id()},
          {"iface", tap.iface_id()},        {"boot_args", boot_args}};
}

Result<std::vector<std::string>> SubstituteAll(const std::vector<std::string>& program,
                                               const std::map<std::string, std::string>& values) {
  std::vector<std::string> command;
  for (const std::string& argument : program) {
    absl::StatusOr<std::string> text = Substitute(argument, values);
    if (!text.ok()) return UsageFailure(text.status().message());
    command.push_back(*std::move(text));
  }
  return command;
}

// On an svnetd without process lifetimes nothing would remove the TAP, so the caller must ask for
// that explicitly.
Failure WithHint(Failure failure) {
  if (failure.reason == "UNSUPPORTED") {
    failure.hint =
        "run --lifetime persistent works without it; then the TAP stays if svnetctl is killed";
  }
  return failure;
}

// Prints an error to standard error if it cannot.
void RemoveLease(const std::string& socket, absl::Duration timeout, const std::string& tap_name) {
  Result<Connection> svnetd = Connection::Open(socket, timeout);
  const Failure* failure = std::get_if<Failure>(&svnetd);
  v1::RemoveTapRequest request;
  request.set_tap_name(tap_name);
  Result<v1::RemoveTapResponse> answer;
  if (failure == nullptr) {
    answer = std::get<Connection>(svnetd).Call(&Stub::RemoveTap, request);
    failure = std::get_if<Failure>(&answer);
  }
  if (failure == nullptr) return;
  WriteFully(STDERR_FILENO, MakeReport(*failure, Format::kPeople).standard_error).IgnoreError();
  WriteFully(STDERR_FILENO,
             absl::StrCat("the lease still exists: svnetctl remove --tap ", tap_name, "\n"))
      .IgnoreError();
}

Result<Placed> CreateLeaseFor(const std::string& socket, absl::Duration timeout,
                              v1::CreateTapRequest request) {
  if (!request.has_lifetime()) request.mutable_lifetime()->mutable_process()->set_pid(getpid());
  Result<Connection> svnetd = Connection::Open(socket, timeout);
  if (const auto* failure = std::get_if<Failure>(&svnetd)) return *failure;
  auto& connection = std::get<Connection>(svnetd);
  const Result<v1::CreateTapResponse> created = connection.Call(&Stub::CreateTap, request);
  if (const auto* failure = std::get_if<Failure>(&created)) return WithHint(*failure);
  const v1::Tap& tap = std::get<v1::CreateTapResponse>(created).tap();
  v1::GetBootArgsRequest which;
  which.set_tap_name(tap.tap_name());
  const Result<v1::GetBootArgsResponse> args = connection.Call(&Stub::GetBootArgs, which);
  if (const auto* failure = std::get_if<Failure>(&args)) {
    RemoveLease(socket, timeout, tap.tap_name());
    return *failure;
  }
  return Placed{.tap_name = tap.tap_name(),
                .values = ValuesOf(tap, std::get<v1::GetBootArgsResponse>(args).boot_args())};
}

int ExplainNoStart(const absl::Status& status) {
  WriteFully(STDERR_FILENO, absl::StrCat("svnetctl: cannot run ", status.message(), "\n"))
      .IgnoreError();
  return absl::IsNotFound(status) ? kNoSuchProgram : kCannotRun;
}

int RunToItsEnd(const std::vector<std::string>& command) {
  if (const int signal = PendingSignal(); signal != 0) return 128 + signal;
  const absl::StatusOr<pid_t> child = StartProgram(command);
  return child.ok() ? WaitAndForwardSignals(*child) : ExplainNoStart(child.status());
}

}  // namespace

Result<int> RunProgram(const std::string& socket, absl::Duration timeout, const ProgramRun& run) {
  const auto tried = SubstituteAll(run.program, Names());
  if (const auto* failure = std::get_if<Failure>(&tried)) return *failure;
  BlockForwardedSignals();
  const Result<Placed> placed = CreateLeaseFor(socket, timeout, run.request);
  if (const auto* failure = std::get_if<Failure>(&placed)) return *failure;
  const auto& lease = std::get<Placed>(placed);
  const absl::Cleanup remove = [&] { RemoveLease(socket, timeout, lease.tap_name); };
  const auto command = SubstituteAll(run.program, lease.values);
  if (const auto* failure = std::get_if<Failure>(&command)) return *failure;
  return RunToItsEnd(std::get<std::vector<std::string>>(command));
}

}  // namespace svnet::client
