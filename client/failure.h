// The reason why a command failed, and how it is shown.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>

namespace svnet::client {

// svnetctl's exit codes.
enum class ExitCode {
  kDone = 0,
  // The daemon answered with an error, or the answer could not be printed.
  kRefused = 1,
  kUsage = 2,
  kNoDaemon = 3,
};

// For people (kPeople) or for scripts (kJson).
enum class Format { kPeople, kJson };

struct Failure {
  ExitCode exit_code = ExitCode::kRefused;
  // The canonical gRPC code's name: "RESOURCE_EXHAUSTED".
  std::string code;
  // The contract's ErrorReason by name; empty if the daemon gave none.
  std::string reason;
  std::string message;
  // What to do next; empty if that is not known.
  std::string hint;
  // ErrorInfo.metadata.
  std::map<std::string, std::string> metadata;
};

// A T, or the reason why there is none.
template <typename T>
using Result = std::variant<T, Failure>;

template <typename T>
std::optional<Failure> FailureOf(const Result<T>& result) {
  const auto* failure = std::get_if<Failure>(&result);
  return failure == nullptr ? std::nullopt : std::make_optional(*failure);
}

// The text for standard output, or the reason why there is none.
using Outcome = Result<std::string>;

// The result of a run of svnetctl.
struct Report {
  ExitCode exit_code = ExitCode::kDone;
  std::string standard_output;
  std::string standard_error;
};

// For standard error.
std::string RenderForPeople(const Failure& failure);

// "code", "reason", "message" and "metadata", as members of a JSON object, with `gap` between them.
std::string MembersOf(const Failure& failure, const std::string& gap);

// The message goes to standard error; with kJson, the failure goes to standard
// output too, as an object {"error": {...}}.
Report MakeReport(const Outcome& outcome, Format format);

}  // namespace svnet::client
