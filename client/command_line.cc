#include "client/command_line.h"

#include <sys/un.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/nearest.h"
#include "client/subcommands.h"
#include "client/text.h"
#include "daemon/config/config.h"

namespace svnet::client {
namespace {

constexpr char kDescription[] =
    "svnetctl asks svnetd, the daemon that gives VMs their network, for TAP devices.\n";

constexpr char kFooter[] =
    "Examples:\n"
    "  svnetctl create vm1\n"
    "  svnetctl boot-args vm1\n"
    "  svnetctl list --json\n"
    "  svnetctl run vm1 -- my-vmm --tap {tap} --mac {mac}\n"
    "  svnetctl remove vm1\n"
    "  svnetctl status\n"
    "\n"
    "svnetctl help COMMAND explains a command. Arguments after -- are not options.\n"
    "\n"
    "Exit codes: 0 done, 1 refused (standard error says why), 2 usage, 3 no svnetd.\n"
    "run exits with its program's code.";

constexpr char kRunUsage[] =
    "run needs a program, after --: svnetctl run VM -- PROGRAM ARGUMENT ...";

struct GlobalOptions {
  std::string socket = Config().socket;
  int timeout_seconds = 30;
  bool json = false;
};

std::string RefuseUnfitSocket(const std::string& path) {
  // One byte is for the NUL.
  constexpr size_t kMaxLength = sizeof(sockaddr_un::sun_path) - 1;
  if (path.empty()) return "the socket's path is empty";
  if (path.size() <= kMaxLength) return "";
  return absl::StrCat("the socket's path has ", path.size(), " bytes; the limit is ", kMaxLength,
                      " are possible: ", path);
}

void AddGlobalOptions(CLI::App& app, GlobalOptions& options) {
  app.set_version_flag("--version", "svnetctl " SVNET_VERSION);
  app.add_option("--socket", options.socket,
                 absl::StrCat("Where svnetd listens (default: ", options.socket, ")"))
      ->type_name("PATH")
      ->envname("SVNET_SOCKET")
      ->check(RefuseUnfitSocket);
  app.add_option("--timeout", options.timeout_seconds,
                 absl::StrCat("How long to wait (default: ", options.timeout_seconds, ")"))
      ->type_name("SECONDS")
      ->check(CLI::Range(1, 86400).description(""));
  app.add_flag("--json", options.json, "Answer in proto3 JSON, errors too");
}

using Arguments = std::vector<std::string>;

// CLI11 would take the next argument for the value of "--ip=", and so the VM for
// an address. Empty if there is no such thing.
std::string FindOptionWithoutValue(const Arguments& arguments) {
  for (const std::string& argument : arguments) {
    if (argument == "--") break;
    if (absl::StartsWith(argument, "--") && argument.find('=') == argument.size() - 1) {
      return argument;
    }
  }
  return "";
}

// The position of the command, before or after global options.
Arguments::iterator FindCommand(Arguments& arguments) {
  for (auto argument = arguments.begin(); argument != arguments.end(); ++argument) {
    if (*argument == "--socket" || *argument == "--timeout") {
      if (++argument == arguments.end()) break;
    } else if (!absl::StartsWith(*argument, "-")) {
      return argument;
    }
  }
  return arguments.end();
}

// "help" is "--help"; "help create" is "create --help".
void ReplaceHelp(Arguments& arguments) {
  const auto command = FindCommand(arguments);
  if (command == arguments.end() || *command != "help") return;
  arguments.erase(command);
  arguments.push_back("--help");
}

// Removes the arguments after the "--" of a `run`: CLI11 would look for the command's own arguments
// there.
Arguments TakeProgram(Arguments& arguments) {
  const auto command = FindCommand(arguments);
  if (command == arguments.end() || *command != "run") return {};
  const auto end = std::find(command, arguments.end(), "--");
  if (end == arguments.end()) return {};
  Arguments program(end + 1, arguments.end());
  arguments.erase(end, arguments.end());
  return program;
}

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
    {"add", "create"},  {"new", "create"},       {"delete", "remove"}, {"del", "remove"},
    {"rm", "remove"},   {"destroy", "remove"},   {"ls", "list"},       {"get", "show"},
    {"exec", "run"},    {"inspect", "show"},     {"info", "status"},   {"check", "doctor"},
    {"stop", "remove"}, {"version", "--version"}};

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

// CLI11 says "A subcommand is required" of one that it does not know, too.
std::string MessageOf(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> unknown = app.remaining(true);
  if (unknown.empty() && app.get_subcommands().empty() &&
      IsKind(error, CLI::ExitCodes::RequiredError)) {
    return absl::StrCat("say what to do: ", absl::StrJoin(CommandNames(app), ", "));
  }
  if (unknown.empty()) return error.what();
  const std::string& first = unknown.front();
  if (absl::StartsWith(first, "-")) {
    const std::string name = first.substr(0, first.find('='));
    return absl::StrCat("there is no option ", name, DidYouMean(name, OptionNames(app)));
  }
  const auto parsed = app.get_subcommands();
  if (!parsed.empty() && parsed.front()->get_name() == "run") return kRunUsage;
  if (!parsed.empty() && IsKind(error, CLI::ExitCodes::ExtrasError)) {
    return absl::StrCat("'", first, "' is one argument too many");
  }
  if (!parsed.empty()) return error.what();
  return absl::StrCat("there is no command '", first, "'", CommandMeant(app, first));
}

Report UsageError(const CLI::App& app, absl::string_view message) {
  return {ExitCode::kUsage, "",
          absl::StrCat("svnetctl: ", Printable(message), "\nsee: ", HelpCommand(app), "\n")};
}

// --help and --version are exceptions in CLI11, too.
Report EndParsing(const CLI::App& app, const CLI::ParseError& error) {
  std::ostringstream out;
  const bool unknown_command = app.get_subcommands().empty() && !app.remaining().empty();
  if (app.exit(error, out, out) == 0 && !unknown_command) return {ExitCode::kDone, out.str(), ""};
  return UsageError(app, MessageOf(app, error));
}

// CLI11 wants them backwards.
void Parse(CLI::App& app, Arguments arguments) {
  std::reverse(arguments.begin(), arguments.end());
  app.parse(std::move(arguments));
}

// nullopt: all is well.
std::optional<Report> TakeIntoRun(const CLI::App& app, const Arguments& program, Command& command) {
  auto* run = std::get_if<ProgramRun>(&command);
  if (run == nullptr) return std::nullopt;
  run->program = program;
  if (!program.empty()) return std::nullopt;
  return UsageError(app, kRunUsage);
}

}  // namespace

std::variant<Invocation, Report> ParseCommandLine(int argc, const char* const* argv) {
  CLI::App app(kDescription, "svnetctl");
  app.footer(kFooter);
  // FALLTHROUGH: a global option is good after the subcommand, too.
  app.fallthrough();
  app.require_subcommand(1);
  app.get_formatter()->label("SUBCOMMAND", "COMMAND");
  GlobalOptions options;
  AddGlobalOptions(app, options);
  std::optional<Command> command;
  AddSubcommands(app, command);
  Arguments arguments(argv + std::min(argc, 1), argv + argc);
  const Arguments program = TakeProgram(arguments);
  ReplaceHelp(arguments);
  if (const std::string option = FindOptionWithoutValue(arguments); !option.empty()) {
    return UsageError(app, absl::StrCat(option, " needs a value"));
  }
  try {
    Parse(app, arguments);
  } catch (const CLI::ParseError& error) {
    return EndParsing(app, error);
  }
  if (const auto error = TakeIntoRun(app, program, *command)) return *error;
  return Invocation{.socket = options.socket,
                    .timeout = absl::Seconds(options.timeout_seconds),
                    .format = options.json ? Format::kJson : Format::kPeople,
                    .command = *command};
}

}  // namespace svnet::client
