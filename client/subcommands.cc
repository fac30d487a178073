#include "client/subcommands.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/account.h"
#include "client/text.h"

// A request is filled in by the options themselves while CLI11 parses; the
// subcommand's callback then chooses it. What the ids and addresses look like is
// the daemon's business: only what a request cannot hold is refused here.

namespace svnet::client {
namespace {

constexpr char kDefaultIface[] = "eth0";
constexpr char kExamples[] = "Examples:\n  ";
// See FALLTHROUGH in command_line.cc.
constexpr char kGlobalOptions[] = "\n\n--json, --socket and --timeout go here too: svnetctl --help";

std::string RefuseOtherThanUtf8(const std::string& text) {
  return IsUtf8(text) ? "" : absl::StrCat("'", text, "' is not UTF-8 text");
}

// A validator that replaces a name by its number.
template <typename Parse>
CLI::Validator ToNumber(Parse parse) {
  return CLI::Validator(
      [parse](std::string& text) {
        const auto number = parse(text);
        if (!number.ok()) return std::string(number.status().message());
        text = absl::StrCat(*number);
        return std::string();
      },
      "");
}

CLI::App* AddSubcommand(CLI::App& app, const std::string& name, const std::string& description,
                        const std::string& examples) {
  CLI::App* subcommand = app.add_subcommand(name, description);
  subcommand->footer(absl::StrCat(kExamples, examples, kGlobalOptions));
  return subcommand;
}

template <typename R>
void ChooseWhenParsed(CLI::App* subcommand, std::optional<Request>& chosen,
                      std::shared_ptr<R> request) {
  subcommand->callback([&chosen, request] { chosen = *request; });
}

CLI::Option* AddText(CLI::App* subcommand, const std::string& name, const std::string& placeholder,
                     const std::string& description,
                     const std::function<void(const std::string&)>& set) {
  return subcommand->add_option_function<std::string>(name, set, description)
      ->type_name(placeholder)
      ->check(RefuseOtherThanUtf8);
}

template <typename R>
CLI::Option* AddVm(CLI::App* subcommand, std::shared_ptr<R> request) {
  return AddText(subcommand, "VM", "", "The VM's id",
                 [request](const std::string& vm) { request->set_vm_id(vm); });
}

template <typename R>
CLI::Option* AddIface(CLI::App* subcommand, std::shared_ptr<R> request) {
  return AddText(subcommand, "IFACE", "", "The id of the VM's network interface (default: eth0)",
                 [request](const std::string& iface) { request->set_iface_id(iface); });
}

template <typename R>
void AddOwner(CLI::App* subcommand, std::shared_ptr<R> request, const std::string& description) {
  subcommand
      ->add_option_function<uint32_t>(
          "--owner", [request](uint32_t uid) { request->set_owner_uid(uid); }, description)
      ->type_name("UID|NAME")
      ->transform(ToNumber(ParseUser));
}

// VM [IFACE], or --tap NAME; and --owner.
template <typename R>
void AddLease(CLI::App* subcommand, std::shared_ptr<R> request) {
  CLI::Option* vm = AddVm(subcommand, request);
  CLI::Option* iface = AddIface(subcommand, request);
  CLI::Option* tap = AddText(subcommand, "--tap", "NAME", "The TAP's name, instead of VM and IFACE",
                             [request](const std::string& name) { request->set_tap_name(name); });
  tap->excludes(vm)->excludes(iface);
  AddOwner(subcommand, request, "Whose VM it is, if not yours (administrators)");
  subcommand->parse_complete_callback([request, vm, iface, tap] {
    if (vm->empty() && tap->empty()) throw CLI::RequiredError("VM or --tap NAME");
    if (!vm->empty() && iface->empty()) request->set_iface_id(kDefaultIface);
  });
}

void AddCreate(CLI::App& app, std::optional<Request>& chosen) {
  auto request = std::make_shared<v1::CreateTapRequest>();
  request->set_iface_id(kDefaultIface);
  CLI::App* create =
      AddSubcommand(app, "create", "Lease a TAP, an address and a MAC to a VM; safe to repeat",
                    "svnetctl create vm1\n"
                    "  svnetctl create vm1 eth1 --ip 172.30.0.40\n"
                    "  sudo svnetctl create vm1 --owner alice --group kvm");
  AddVm(create, request)->required();
  AddIface(create, request);
  AddText(create, "--ip", "ADDRESS", "This guest address (default: the next free one)",
          [request](const std::string& ip) { request->set_ip_address(ip); });
  AddText(create, "--mac", "MAC", "This guest MAC (default: derived from VM and IFACE)",
          [request](const std::string& mac) { request->set_mac_address(mac); });
  AddOwner(create, request, "Who may open the TAP, if not you (administrators)");
  create
      ->add_option_function<uint32_t>(
          "--group", [request](uint32_t gid) { request->set_group_gid(gid); },
          "Demand this group, too, of the VMM that opens the TAP")
      ->type_name("GID|NAME")
      ->transform(ToNumber(ParseGroup));
  create
      ->add_option_function<uint32_t>(
          "--queues", [request](uint32_t queues) { request->set_queues(queues); },
          "Queue pairs, 1 to 256 (default: 1)")
      ->type_name("N")
      ->check(CLI::Range(1, 256).description(""));
  ChooseWhenParsed(create, chosen, request);
}

void AddRemove(CLI::App& app, std::optional<Request>& chosen) {
  auto request = std::make_shared<v1::RemoveTapRequest>();
  CLI::App* remove = AddSubcommand(app, "remove", "End a lease: the TAP goes, even if it is open",
                                   "svnetctl remove vm1\n"
                                   "  svnetctl remove vm1 eth1\n"
                                   "  svnetctl remove --tap svvm1eth0");
  AddLease(remove, request);
  ChooseWhenParsed(remove, chosen, request);
}

void AddList(CLI::App& app, std::optional<Request>& chosen) {
  CLI::App* list = AddSubcommand(app, "list", "Show your TAPs (administrators: everybody's)",
                                 "svnetctl list\n"
                                 "  svnetctl list --json | jq -r '.taps[].tapName'");
  ChooseWhenParsed(list, chosen, std::make_shared<v1::ListTapsRequest>());
}

void AddBootArgs(CLI::App& app, std::optional<Request>& chosen) {
  auto request = std::make_shared<v1::GetBootArgsRequest>();
  CLI::App* boot_args =
      AddSubcommand(app, "boot-args", "Print the ip= text for the guest's kernel command line",
                    "cmdline=\"console=ttyS0 $(svnetctl boot-args vm1)\"\n"
                    "  svnetctl boot-args vm1 --hostname web --dns 1.1.1.1 --dns 9.9.9.9");
  AddLease(boot_args, request);
  AddText(boot_args, "--guest-interface", "NAME",
          "What the guest calls its interface (default: eth0)",
          [request](const std::string& name) { request->set_guest_interface(name); });
  AddText(boot_args, "--hostname", "NAME", "The guest's host name (default: none)",
          [request](const std::string& name) { request->set_hostname(name); });
  boot_args
      ->add_option_function<std::vector<std::string>>(
          "--dns",
          [request](const std::vector<std::string>& servers) {
            request->mutable_dns_servers()->Assign(servers.begin(), servers.end());
          },
          "A DNS server for the guest; may be repeated")
      ->type_name("ADDRESS")
      ->allow_extra_args(false)  // "--dns 1.1.1.1 vm1": vm1 is the VM
      ->check(RefuseOtherThanUtf8);
  ChooseWhenParsed(boot_args, chosen, request);
}

void AddCleanup(CLI::App& app, std::optional<Request>& chosen) {
  auto request = std::make_shared<v1::CleanupRequest>();
  request->set_scope(v1::CLEANUP_SCOPE_CALLER);
  CLI::App* cleanup = AddSubcommand(app, "cleanup", "Remove all your TAPs",
                                    "svnetctl cleanup\n"
                                    "  sudo svnetctl cleanup --network");
  cleanup->add_flag_callback(
      "--network", [request] { request->set_scope(v1::CLEANUP_SCOPE_NETWORK); },
      "Everybody's TAPs, the NAT rules, and the bridge if svnetd made it (administrators)");
  ChooseWhenParsed(cleanup, chosen, request);
}

void AddStatus(CLI::App& app, std::optional<Request>& chosen) {
  CLI::App* status =
      AddSubcommand(app, "status", "Show the network: what it is, how full, what is wrong with it",
                    "svnetctl status\n"
                    "  svnetctl status --json | jq -e '.conditions == []'");
  ChooseWhenParsed(status, chosen, std::make_shared<v1::GetNetworkRequest>());
}

}  // namespace

void AddSubcommands(CLI::App& app, std::optional<Request>& chosen) {
  AddCreate(app, chosen);
  AddRemove(app, chosen);
  AddList(app, chosen);
  AddBootArgs(app, chosen);
  AddCleanup(app, chosen);
  AddStatus(app, chosen);
}

}  // namespace svnet::client
