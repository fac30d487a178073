#include "client/options.h"

#include <cstddef>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "client/text.h"

namespace svnet::client {
namespace {

constexpr char kExamples[] = "Examples:\n  ";
// See FALLTHROUGH in command_line.cc.
constexpr char kGlobalOptions[] =
    "\n\n--json, --socket and --timeout work here, too: svnetctl --help";

// "eth1"
bool IsUsualIface(absl::string_view text) {
  if (!absl::ConsumePrefix(&text, "eth") || text.empty()) return false;
  return text.find_first_not_of("0123456789") == absl::string_view::npos;
}

void RefuseIfaces(const std::vector<std::string>& vms) {
  for (size_t i = 1; i < vms.size(); ++i) {
    if (!IsUsualIface(vms[i])) continue;
    throw CLI::ValidationError(absl::StrCat(
        "'", vms[i], "' looks like an interface: give the interface by --iface ", vms[i]));
  }
}

CLI::Option* AddTap(CLI::App* subcommand, const std::function<void(const std::string&)>& set) {
  return AddText(subcommand, "--tap", "NAME", "The TAP's name, instead of VM and --iface", set);
}

// A lease has one name.
void NeedOne(CLI::App* subcommand, CLI::Option* vm, CLI::Option* iface, CLI::Option* tap) {
  tap->excludes(vm)->excludes(iface);
  subcommand->parse_complete_callback([vm, tap] {
    if (vm->empty() && tap->empty()) throw CLI::RequiredError("VM or --tap NAME");
  });
}

constexpr char kWhose[] = "Whose VM it is, if not yours (administrators)";

}  // namespace

std::string RefuseBadText(const std::string& text) {
  if (text.empty()) return "the value is empty";
  return IsUtf8(text) ? "" : absl::StrCat("'", text, "' is not UTF-8 text");
}

CLI::Validator NumberFrom(uint64_t least, uint64_t most) {
  return CLI::Validator(
      [least, most](std::string& text) {
        uint64_t number = 0;
        if (absl::SimpleAtoi(text, &number) && number >= least && number <= most) {
          return std::string();
        }
        return absl::StrCat("'", text, "' is not a number from ", least, " to ", most);
      },
      "");
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
      ->check(RefuseBadText);
}

CLI::Option* AddVm(CLI::App* subcommand, const std::function<void(const std::string&)>& set) {
  return AddText(subcommand, "VM", "", "The VM's id", set);
}

CLI::Option* AddVms(CLI::App* subcommand,
                    const std::function<void(const std::vector<std::string>&)>& set) {
  const auto take = [set](const std::vector<std::string>& vms) {
    RefuseIfaces(vms);
    set(vms);
  };
  return subcommand
      ->add_option_function<std::vector<std::string>>("VM", take, "The VM's id; may be several")
      ->type_name("")
      ->check(RefuseBadText);
}

CLI::Option* AddIface(CLI::App* subcommand, const std::function<void(const std::string&)>& set) {
  return AddText(
      subcommand, "--iface", "IFACE",
      absl::StrCat("The id of the VM's network interface (default: ", kDefaultIface, ")"), set);
}

CLI::Option* AddNetwork(CLI::App* subcommand, const std::function<void(const std::string&)>& set,
                        const std::string& description) {
  return AddText(subcommand, "--network", "NAME", description, set);
}

CLI::Option* AddOwner(CLI::App* subcommand, const std::function<void(uint32_t)>& set,
                      const std::string& description) {
  return subcommand->add_option_function<uint32_t>("--owner", set, description)
      ->type_name("UID|NAME")
      ->transform(ToNumber(ParseUser));
}

void AddLease(CLI::App* subcommand, const std::shared_ptr<LeaseName>& name) {
  CLI::Option* vm = AddVm(subcommand, [name](const std::string& id) { name->vm = id; });
  CLI::Option* iface = AddIface(subcommand, [name](const std::string& id) { name->iface = id; });
  CLI::Option* tap = AddTap(subcommand, [name](const std::string& text) { name->tap = text; });
  NeedOne(subcommand, vm, iface, tap);
  AddOwner(
      subcommand, [name](uint32_t uid) { name->owner = uid; }, kWhose);
}

void AddLeases(CLI::App* subcommand, const std::shared_ptr<LeaseNames>& names) {
  CLI::Option* vms =
      AddVms(subcommand, [names](const std::vector<std::string>& ids) { names->vms = ids; });
  CLI::Option* iface = AddIface(subcommand, [names](const std::string& id) { names->iface = id; });
  CLI::Option* tap = AddTap(subcommand, [names](const std::string& text) { names->tap = text; });
  NeedOne(subcommand, vms, iface, tap);
  AddOwner(
      subcommand, [names](uint32_t uid) { names->owner = uid; }, kWhose);
}

}  // namespace svnet::client
