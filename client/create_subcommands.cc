#include "client/create_subcommands.h"

#include <cstdint>
#include <memory>
#include <string>

#include "client/lease_format.h"
#include "client/lifetime.h"
#include "client/options.h"

namespace svnet::client {
namespace {

void AddGroup(CLI::App* subcommand, std::shared_ptr<v1::CreateTapRequest> request) {
  subcommand
      ->add_option_function<uint32_t>(
          "--group", [request](uint32_t gid) { request->set_group_gid(gid); },
          "Demand this group, too, of the VMM that opens the TAP")
      ->type_name("GID|NAME")
      ->transform(ToNumber(ParseGroup));
}

void AddQueues(CLI::App* subcommand, std::shared_ptr<v1::CreateTapRequest> request) {
  subcommand
      ->add_option_function<uint32_t>(
          "--queues", [request](uint32_t queues) { request->set_queues(queues); },
          "Queue pairs, 1 to 256 (default: 1)")
      ->type_name("N")
      ->check(CLI::Range(1, 256).description(""));
}

void AddLifetime(CLI::App* subcommand, std::shared_ptr<v1::CreateTapRequest> request,
                 const std::string& description) {
  subcommand
      ->add_option_function<std::string>(
          "--lifetime",
          [request](const std::string& text) {
            *request->mutable_lifetime() = *ParseLifetime(text);
          },
          description)
      ->type_name("persistent|process:PID|until-detached[:GRACE]")
      ->check(ParsedBy(ParseLifetime));
}

// All that a CreateTapRequest has but its lifetime.
void AddLeaseToCreate(CLI::App* subcommand, std::shared_ptr<v1::CreateTapRequest> request) {
  request->set_iface_id(kDefaultIface);
  AddVm(subcommand, request)->required();
  AddIface(subcommand, request);
  AddText(subcommand, "--ip", "ADDRESS", "This guest address (default: the next free one)",
          [request](const std::string& ip) { request->set_ip_address(ip); });
  AddText(subcommand, "--mac", "MAC", "This guest MAC (default: derived from VM and IFACE)",
          [request](const std::string& mac) { request->set_mac_address(mac); });
  AddOwner(subcommand, request, "Who may open the TAP, if not you (administrators)");
  AddGroup(subcommand, request);
  AddQueues(subcommand, request);
}

// `command` has a `format`.
template <typename C>
void AddFormat(CLI::App* subcommand, std::shared_ptr<C> command) {
  subcommand
      ->add_option_function<std::string>(
          "--format",
          [command](const std::string& name) { command->format = *ParseLeaseFormat(name); },
          "What to print: for people, or for the program that will use the TAP")
      ->type_name(LeaseFormatNames())
      ->check(ParsedBy(ParseLeaseFormat));
}

}  // namespace

void AddCreate(CLI::App& app, std::optional<Command>& chosen) {
  auto command = std::make_shared<CreateLease>();
  const std::shared_ptr<v1::CreateTapRequest> request(command, &command->request);
  CLI::App* create =
      AddSubcommand(app, "create", "Lease a TAP, an address and a MAC to a VM; safe to repeat",
                    "svnetctl create vm1\n"
                    "  svnetctl create vm1 eth1 --ip 172.30.0.40\n"
                    "  qemu-system-x86_64 $(svnetctl create vm1 --format qemu) ...\n"
                    "  sudo svnetctl create vm1 --owner alice --group kvm");
  AddLeaseToCreate(create, request);
  AddLifetime(create, request, "When the lease ends by itself (default: persistent, never)");
  AddFormat(create, command);
  ChooseWhenParsed(create, chosen, command);
}

void AddShow(CLI::App& app, std::optional<Command>& chosen) {
  auto command = std::make_shared<ShowLease>();
  CLI::App* show = AddSubcommand(app, "show", "Show a lease that stands, in any format",
                                 "svnetctl show vm1\n"
                                 "  eval \"$(svnetctl show vm1 --format env)\"\n"
                                 "  svnetctl show vm1 --format cloud-init > network-config");
  AddLease(show, std::shared_ptr<v1::GetBootArgsRequest>(command, &command->which));
  AddFormat(show, command);
  ChooseWhenParsed(show, chosen, command);
}

void AddRun(CLI::App& app, std::optional<Command>& chosen) {
  auto command = std::make_shared<ProgramRun>();
  const std::shared_ptr<v1::CreateTapRequest> request(command, &command->request);
  CLI::App* run = AddSubcommand(
      app, "run", "Run a VMM with a lease that ends when it does: run VM -- PROGRAM ...",
      "svnetctl run vm1 -- qemu-system-x86_64 -netdev tap,id=n,ifname={tap},script=no,\\\n"
      "    downscript=no -device virtio-net-pci,netdev=n,mac={mac} -append '{boot_args}' ...\n"
      "\n"
      "In the program's arguments {tap}, {mac}, {ip}, {gateway}, {netmask}, {prefix_length},\n"
      "{mtu}, {vm}, {iface} and {boot_args} are replaced; {{tap}} is {tap} itself. The exit\n"
      "code is the program's, or 128 and the number of the signal that ended it.");
  AddLeaseToCreate(run, request);
  AddLifetime(run, request,
              "When the lease ends if svnetctl cannot end it (default: with this svnetctl)");
  ChooseWhenParsed(run, chosen, command);
}

}  // namespace svnet::client
