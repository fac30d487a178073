#include "client/run.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/child.h"
#include "client/connection.h"
#include "client/guest_view.h"
#include "client/placeholders.h"
#include "client/standard_streams.h"
#include "client/tap_queues.h"
#include "daemon/base/unique_fd.h"

namespace svnet::client {
namespace {

using Stub = Connection::Stub;

// The exit codes that shells use.
constexpr int kCannotRun = 126;
constexpr int kNoSuchProgram = 127;

// How late svnetd may hear that a TAP was closed, and some more.
constexpr absl::Duration kAnnouncedAfter = absl::Milliseconds(1500);
constexpr absl::Duration kAskAgain = absl::Milliseconds(20);

struct Placed {
  std::string tap_name;
  std::map<std::string, std::string> values;  // of the placeholders
  std::vector<UniqueFd> queues;               // if the program wants them
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
                           "iface", "boot_args", "fd", "fds"}) {
    names[name] = "";
  }
  return names;
}

// As its guest is to be told.
std::map<std::string, std::string> ValuesOf(const v1::Tap& lease, const std::string& boot_args) {
  const v1::Tap tap = AsItsGuestKnowsIt(lease);
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

void Say(const std::string& text) { WriteFully(STDERR_FILENO, text).IgnoreError(); }

void SayHowToRemove(const std::string& tap_name) {
  Say(absl::StrCat("the lease still exists: svnetctl remove --tap ", tap_name, "\n"));
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
  Say(MakeReport(*failure, Format::kPeople).standard_error);
  SayHowToRemove(tap_name);
}

// Whether the TAP has a carrier, which is as long as a process has it open; nullopt: it is down,
// or svnetctl is in another network namespace.
std::optional<bool> HasCarrier(const std::string& tap_name) {
  std::ifstream file(absl::StrCat("/sys/class/net/", tap_name, "/carrier"));
  char carrier = 0;
  if (!file.get(carrier)) return std::nullopt;
  return carrier == '1';
}

// Whether a process has the TAP open. svnetd, if it has to be asked, knows up to a second later
// that one has let go of it. If it cannot be known, the answer is no.
bool IsHeld(Connection& svnetd, const std::string& tap_name) {
  if (const std::optional<bool> carrier = HasCarrier(tap_name)) return *carrier;
  v1::GetTapRequest request;
  request.set_tap_name(tap_name);
  for (const absl::Time end = absl::Now() + kAnnouncedAfter; absl::Now() < end;) {
    const Result<v1::GetTapResponse> answer = svnetd.Call(&Stub::GetTap, request);
    const auto* found = std::get_if<v1::GetTapResponse>(&answer);
    if (found == nullptr || !found->tap().attached()) return false;
    absl::SleepFor(kAskAgain);
  }
  return true;
}

// The program may have gone into the background (qemu -daemonize): it keeps a TAP that it has open.
void EndLease(const std::string& socket, absl::Duration timeout, const std::string& tap_name,
              bool ends_by_itself) {
  Result<Connection> svnetd = Connection::Open(socket, timeout);
  auto* connection = std::get_if<Connection>(&svnetd);
  if (connection == nullptr || !IsHeld(*connection, tap_name)) {
    return RemoveLease(socket, timeout, tap_name);
  }
  Say(absl::StrCat("svnetctl: the program has ended, and a process still has ", tap_name, " open",
                   ends_by_itself ? ": the lease ends when it closes that\n" : "\n"));
  if (!ends_by_itself) SayHowToRemove(tap_name);
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
                .values = ValuesOf(tap, std::get<v1::GetBootArgsResponse>(args).boot_args()),
                .queues = {}};
}

std::string NumbersOf(const std::vector<UniqueFd>& queues, absl::string_view separator) {
  return absl::StrJoin(queues, separator, [](std::string* text, const UniqueFd& queue) {
    absl::StrAppend(text, queue.get());
  });
}

bool WantsQueues(const std::vector<std::string>& program) {
  return std::any_of(program.begin(), program.end(), [](const std::string& argument) {
    return Mentions(argument, "fd") || Mentions(argument, "fds");
  });
}

// For a program that gets the TAP open, and not by its name.
std::optional<Failure> AddQueues(const std::string& socket, absl::Duration timeout,
                                 Placed* placed) {
  Result<std::vector<UniqueFd>> queues = OpenTap(socket, timeout, placed->tap_name);
  if (const auto* failure = std::get_if<Failure>(&queues)) return *failure;
  placed->queues = std::move(std::get<std::vector<UniqueFd>>(queues));
  placed->values["fd"] = NumbersOf(placed->queues, ",");
  placed->values["fds"] = NumbersOf(placed->queues, ":");
  return std::nullopt;
}

int ExplainNoStart(const absl::Status& status) {
  WriteFully(STDERR_FILENO, absl::StrCat("svnetctl: cannot run ", status.message(), "\n"))
      .IgnoreError();
  return absl::IsNotFound(status) ? kNoSuchProgram : kCannotRun;
}

int RunToItsEnd(const std::vector<std::string>& command, std::vector<UniqueFd> queues) {
  if (const int signal = PendingSignal(); signal != 0) return 128 + signal;
  const absl::StatusOr<pid_t> child = StartProgram(command, queues);
  queues.clear();  // only the program has the TAP open
  return child.ok() ? WaitAndForwardSignals(*child) : ExplainNoStart(child.status());
}

}  // namespace

Result<int> RunProgram(const std::string& socket, absl::Duration timeout, const ProgramRun& run) {
  const auto tried = SubstituteAll(run.program, Names());
  if (const auto* failure = std::get_if<Failure>(&tried)) return *failure;
  BlockForwardedSignals();
  Result<Placed> placed = CreateLeaseFor(socket, timeout, run.request);
  if (const auto* failure = std::get_if<Failure>(&placed)) return *failure;
  auto& lease = std::get<Placed>(placed);
  const bool ends_by_itself = !run.request.has_lifetime();
  const absl::Cleanup end = [&] { EndLease(socket, timeout, lease.tap_name, ends_by_itself); };
  if (WantsQueues(run.program)) {
    if (const auto failure = AddQueues(socket, timeout, &lease)) return *failure;
  }
  const auto command = SubstituteAll(run.program, lease.values);
  if (const auto* failure = std::get_if<Failure>(&command)) return *failure;
  return RunToItsEnd(std::get<std::vector<std::string>>(command), std::move(lease.queues));
}

}  // namespace svnet::client
