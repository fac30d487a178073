#include "client/command_line.h"

#include <sys/un.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/options.h"
#include "client/subcommands.h"
#include "client/usage_error.h"
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
    "  svnetctl wait vm1 --attached\n"
    "  svnetctl run vm1 -- my-vmm --tap {tap} --mac {mac}\n"
    "  svnetctl remove vm1\n"
    "  svnetctl status\n"
    "\n"
    "svnetctl help COMMAND explains a command. Arguments after -- are not options.\n"
    "\n"
    "Exit codes: 0 done, 1 refused (standard error says why), 2 usage, 3 no svnetd.\n"
    "run exits with its program's code.";

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
  app.set_version_flag("-V,--version", "svnetctl " SVNET_VERSION);
  app.add_option("--socket", options.socket,
                 absl::StrCat("Where svnetd listens (default: ", options.socket, ")"))
      ->type_name("PATH")
      ->envname("SVNET_SOCKET")
      ->check(RefuseUnfitSocket);
  app.add_option("--timeout", options.timeout_seconds,
                 absl::StrCat("How long to wait (default: ", options.timeout_seconds, ")"))
      ->type_name("SECONDS")
      ->check(NumberFrom(1, 86400));
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

// For errors of the command line, too, which can come before CLI11 has seen --json.
Format FormatOf(const Arguments& arguments) {
  const auto end = std::find(arguments.begin(), arguments.end(), "--");
  return std::find(arguments.begin(), end, "--json") != end ? Format::kJson : Format::kPeople;
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

// CLI11 wants them backwards.
void Parse(CLI::App& app, Arguments arguments) {
  std::reverse(arguments.begin(), arguments.end());
  app.parse(std::move(arguments));
}

// What is wrong; empty: nothing.
std::string TakeIntoRun(const Arguments& program, Command& command) {
  auto* run = std::get_if<ProgramRun>(&command);
  if (run == nullptr) return "";
  run->program = program;
  return program.empty() ? absl::StrCat("run needs a program, after --: ", kRunSynopsis) : "";
}

// Makes --json and the format of a command agree. What is wrong; empty: nothing.
template <typename F>
std::string Agree(F& own, Format& format) {
  if (own == F::kJson) format = Format::kJson;
  if (format == Format::kPeople || own == F::kJson) return "";
  if (own != F::kTable) return "--json and another format exclude each other: give one of them";
  own = F::kJson;
  return "";
}

std::string AgreeOnFormat(Command& command, Format& format) {
  if (auto* watch = std::get_if<WatchRun>(&command)) {
    return watch->list.has_value() ? Agree(watch->list->format, format) : "";
  }
  auto* request = std::get_if<Request>(&command);
  if (request == nullptr) return "";
  if (auto* create = std::get_if<CreateLeases>(request)) return Agree(create->format, format);
  if (auto* show = std::get_if<ShowLeases>(request)) return Agree(show->format, format);
  if (auto* list = std::get_if<ListLeases>(request)) return Agree(list->format, format);
  if (auto* list = std::get_if<ListNetworks>(request)) return Agree(list->format, format);
  return "";
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
  Format format = FormatOf(arguments);
  if (const std::string option = FindOptionWithoutValue(arguments); !option.empty()) {
    return UsageError(app, absl::StrCat(option, " needs a value"), format);
  }
  try {
    Parse(app, arguments);
  } catch (const CLI::ParseError& error) {
    return EndParsing(app, error, format);
  }
  format = options.json ? Format::kJson : Format::kPeople;
  std::string wrong = TakeIntoRun(program, *command);
  if (wrong.empty()) wrong = AgreeOnFormat(*command, format);
  if (!wrong.empty()) return UsageError(app, wrong, format);
  return Invocation{.socket = options.socket,
                    .timeout = absl::Seconds(options.timeout_seconds),
                    .format = format,
                    .command = *command};
}

}  // namespace svnet::client
