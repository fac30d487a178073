#include "client/command_line.h"

#include <sys/un.h>

#include <CLI/CLI.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/subcommands.h"
#include "client/text.h"

namespace svnet::client {
namespace {

constexpr char kDescription[] =
    "svnetctl asks svnetd, the daemon that gives VMs their network, for TAP devices.\n";

constexpr char kFooter[] =
    "Examples:\n"
    "  svnetctl create vm1\n"
    "  svnetctl boot-args vm1\n"
    "  svnetctl list --json\n"
    "  svnetctl remove vm1\n"
    "  svnetctl status\n"
    "\n"
    "svnetctl COMMAND --help says more about a command. After -- nothing is an option.\n"
    "\n"
    "Exit codes: 0 done, 1 refused (standard error says why), 2 usage, 3 no svnetd.";

struct GlobalOptions {
  std::string socket = "/run/svnet/svnetd.sock";
  int timeout_seconds = 30;
  bool json = false;
};

std::string RefuseUnfitSocket(const std::string& path) {
  // One byte is for the NUL.
  constexpr size_t kMaxLength = sizeof(sockaddr_un::sun_path) - 1;
  if (path.empty()) return "the socket's path is empty";
  if (path.size() <= kMaxLength) return "";
  return absl::StrCat("the socket's path has ", path.size(), " bytes, and at most ", kMaxLength,
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
  app.add_flag("--json", options.json, "Answer in JSON, as proto3 has it; errors too");
}

// CLI11 would take the next argument for the value of "--ip=", and so the VM for
// an address. Empty if there is no such thing.
std::string FindOptionWithoutValue(int argc, const char* const* argv) {
  for (int i = 1; i < argc && absl::string_view(argv[i]) != "--"; ++i) {
    const absl::string_view argument = argv[i];
    if (absl::StartsWith(argument, "--") && argument.find('=') == argument.size() - 1) {
      return std::string(argument);
    }
  }
  return "";
}

// What to consult: the help of the subcommand, if it came to that.
std::string HelpCommand(const CLI::App& app) {
  const auto parsed = app.get_subcommands();
  return parsed.empty() ? "svnetctl --help"
                        : absl::StrCat("svnetctl ", parsed.front()->get_name(), " --help");
}

// CLI11 says "A subcommand is required" of one that it does not know, too.
std::string MessageOf(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> unknown = app.remaining();
  if (!app.get_subcommands().empty() || unknown.empty()) return error.what();
  return absl::StrCat("there is no command '", unknown.front(), "'");
}

Report UsageError(const CLI::App& app, absl::string_view message) {
  return {ExitCode::kUsage, "",
          absl::StrCat("svnetctl: ", Printable(message), "\nsee: ", HelpCommand(app), "\n")};
}

// --help and --version are exceptions in CLI11, too.
Report EndParsing(const CLI::App& app, const CLI::ParseError& error) {
  std::ostringstream out;
  if (app.exit(error, out, out) == 0) return {ExitCode::kDone, out.str(), ""};
  return UsageError(app, MessageOf(app, error));
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
  std::optional<Request> request;
  AddSubcommands(app, request);
  if (const std::string option = FindOptionWithoutValue(argc, argv); !option.empty()) {
    return UsageError(app, absl::StrCat(option, " needs a value"));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return EndParsing(app, error);
  }
  return Invocation{.socket = options.socket,
                    .timeout = absl::Seconds(options.timeout_seconds),
                    .format = options.json ? Format::kJson : Format::kPeople,
                    .request = *request};
}

}  // namespace svnet::client
