#include "client/options.h"

#include "client/text.h"

namespace svnet::client {
namespace {

constexpr char kExamples[] = "Examples:\n  ";
// See FALLTHROUGH in command_line.cc.
constexpr char kGlobalOptions[] =
    "\n\n--json, --socket and --timeout work here, too: svnetctl --help";

}  // namespace

std::string RefuseOtherThanUtf8(const std::string& text) {
  return IsUtf8(text) ? "" : absl::StrCat("'", text, "' is not UTF-8 text");
}

CLI::App* AddSubcommand(CLI::App& app, const std::string& name, const std::string& description,
                        const std::string& examples) {
  CLI::App* subcommand = app.add_subcommand(name, description);
  subcommand->footer(absl::StrCat(kExamples, examples, kGlobalOptions));
  return subcommand;
}

CLI::Option* AddText(CLI::App* subcommand, const std::string& name, const std::string& placeholder,
                     const std::string& description,
                     const std::function<void(const std::string&)>& set) {
  return subcommand->add_option_function<std::string>(name, set, description)
      ->type_name(placeholder)
      ->check(RefuseOtherThanUtf8);
}

}  // namespace svnet::client
