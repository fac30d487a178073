#include "client/usage_error.h"

#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "daemon/base/nearest.h"

namespace svnet::client {
namespace {

// What to consult: the help of the subcommand, if it came to that.
std::string HelpCommand(const CLI::App& app) {
  const auto parsed = app.get_subcommands();
  return parsed.empty() ? "svnetctl --help"
                        : absl::StrCat("svnetctl ", parsed.front()->get_name(), " --help");
}

std::vector<std::string> CommandNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  return names;
}

// Those of `app` and of the command that was parsed.
std::vector<std::string> OptionNames(const CLI::App& app) {
  std::vector<std::string> names;
  const auto add = [&names](const CLI::App* of) {
    for (const CLI::Option* option : of->get_options()) {
      if (!option->get_positional()) names.push_back(option->get_name());
    }
  };
  add(&app);
  for (const CLI::App* command : app.get_subcommands()) add(command);
  return names;
}

// What other programs call our commands.
constexpr std::pair<const char*, const char*> kOtherNames[] = {
    {"add", "create"},  {"new", "create"},        {"delete", "remove"}, {"del", "remove"},
    {"rm", "remove"},   {"destroy", "remove"},    {"ls", "list"},       {"get", "show"},
    {"exec", "run"},    {"inspect", "show"},      {"info", "status"},   {"check", "doctor"},
    {"stop", "remove"}, {"version", "--version"}, {"events", "watch"}};

std::string DidYouMean(const std::string& word, const std::vector<std::string>& candidates) {
  const std::optional<std::string> nearest = FindNearest(word, candidates);
  return nearest.has_value() ? absl::StrCat(": did you mean ", *nearest, "?") : "";
}

std::string CommandMeant(const CLI::App& app, const std::string& word) {
  for (const auto& [other, ours] : kOtherNames) {
    if (word == other) return absl::StrCat(": did you mean ", ours, "?");
  }
  return DidYouMean(word, CommandNames(app));
}

bool IsKind(const CLI::ParseError& error, CLI::ExitCodes kind) {
  return error.get_exit_code() == static_cast<int>(kind);
}

// What CLI11 says, in a sentence.
std::string InPlainWords(const CLI::ParseError& error) {
  const std::string text = error.what();
  const std::string name = text.substr(0, text.find(':'));
  if (IsKind(error, CLI::ExitCodes::ArgumentMismatch)) {
    if (absl::StrContains(text, ": At Most ")) return name + " may be given only once";
    if (absl::EndsWith(text, " missing")) return name + " needs a value";
  }
  // Numbers have checks of their own: this is a flag.
  constexpr absl::string_view kConversion = "Could not convert: ";
  if (IsKind(error, CLI::ExitCodes::ConversionError) && absl::StartsWith(text, kConversion)) {
    const std::string flag = text.substr(kConversion.size(), text.find(" = ") - kConversion.size());
    return flag + " takes no value";
  }
  if (IsKind(error, CLI::ExitCodes::ExcludesError)) {
    const std::string both = absl::StrReplaceAll(text, {{" excludes ", " and "}});
    return absl::StrCat(both, " exclude each other: give one of them");
  }
  return text;
}

// An argument that a command does not take.
std::string OneTooMany(const CLI::App& command, const std::string& argument) {
  std::string message = absl::StrCat("'", argument, "' is one argument too many");
  if (command.get_option_no_throw("--iface") != nullptr) {
    message += ": give the interface by --iface";
  }
  if (command.get_name() == "cleanup") {
    absl::StrAppend(&message, ": give the network by --of ", argument);
  }
  if (command.get_name() == "run") {
    absl::StrAppend(&message, ", and a program, after --: ", kRunSynopsis);
  }
  return message;
}

// CLI11 says "A subcommand is required" of one that it does not know, too.
std::string MessageOf(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> unknown = app.remaining(true);
  if (unknown.empty() && app.get_subcommands().empty() &&
      IsKind(error, CLI::ExitCodes::RequiredError)) {
    return absl::StrCat("say what to do: ", absl::StrJoin(CommandNames(app), ", "));
  }
  if (unknown.empty()) return InPlainWords(error);
  const std::string& first = unknown.front();
  if (absl::StartsWith(first, "-")) {
    const std::string name = first.substr(0, first.find('='));
    return absl::StrCat("there is no option ", name, DidYouMean(name, OptionNames(app)));
  }
  const auto parsed = app.get_subcommands();
  if (!parsed.empty() && IsKind(error, CLI::ExitCodes::ExtrasError)) {
    return OneTooMany(*parsed.front(), first);
  }
  if (!parsed.empty()) return InPlainWords(error);
  return absl::StrCat("there is no command '", first, "'", CommandMeant(app, first));
}

}  // namespace

Report UsageError(const CLI::App& app, const std::string& message, Format format) {
  return MakeReport(Failure{.exit_code = ExitCode::kUsage,
                            .code = "INVALID_ARGUMENT",
                            .reason = "",
                            .message = message,
                            .hint = "see: " + HelpCommand(app)},
                    format);
}

Report EndParsing(const CLI::App& app, const CLI::ParseError& error, Format format) {
  std::ostringstream out;
  const bool unknown_command = app.get_subcommands().empty() && !app.remaining().empty();
  if (app.exit(error, out, out) == 0 && !unknown_command) return {ExitCode::kDone, out.str(), ""};
  return UsageError(app, MessageOf(app, error), format);
}

}  // namespace svnet::client
