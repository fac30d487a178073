#include "client/create_subcommands.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "client/lease_format.h"
#include "client/lifetime.h"
#include "client/options.h"

namespace svnet::client {
namespace {

void AddGroup(CLI::App* subcommand, const std::shared_ptr<v1::CreateTapRequest>& request) {
  subcommand
      ->add_option_function<uint32_t>(
          "--group", [request](uint32_t gid) { request->set_group_gid(gid); },
          "Also require this group of the VMM that opens the TAP")
      ->type_name("GID|NAME")
      ->transform(ToNumber(ParseGroup));
}

void AddQueues(CLI::App* subcommand, const std::shared_ptr<v1::CreateTapRequest>& request) {
  subcommand
      ->add_option_function<uint32_t>(
          "--queues", [request](uint32_t queues) { request->set_queues(queues); },
          "Queue pairs, 1 to 256 (default: 1)")
      ->type_name("N")
      ->check(CLI::Range(1, 256).description(""));
}

CLI::Option* AddLifetime(CLI::App* subcommand, const std::function<v1::Lifetime*()>& lifetime,
                         const std::string& description) {
  return subcommand
      ->add_option_function<std::string>(
          "--lifetime", [lifetime](const std::string& text) { *lifetime() = *ParseLifetime(text); },
          description)
      ->type_name("persistent|process:PID|until-detached[:GRACE]")
      ->check(ParsedBy(ParseLifetime));
}

// All options of a CreateTapRequest except its lifetime.
void AddLeaseToCreate(CLI::App* subcommand, std::shared_ptr<v1::CreateTapRequest> request) {
  request->set_iface_id(kDefaultIface);
  AddVm(subcommand, request)->required();
  AddIface(subcommand, request);
  AddText(subcommand, "--ip", "ADDRESS", "This guest address (default: the next free one)",
          [request](const std::string& ip) { request->set_ip_address(ip); });
  AddText(subcommand, "--mac", "MAC", "This guest MAC (default: derived from VM and IFACE)",
          [request](const std::string& mac) { request->set_mac_address(mac); });
  AddOwner(subcommand, request,
           "The user who may open the TAP (default: you; others: administrators)");
  AddGroup(subcommand, request);
  AddQueues(subcommand, request);
}

// `command` has a `format`.
template <typename C>
void AddFormat(CLI::App* subcommand, const std::shared_ptr<C>& command) {
  subcommand
      ->add_option_function<std::string>(
          "--format",
          [command](const std::string& name) { command->format = *ParseLeaseFormat(name); },
          "Output format: for people, or for the program that uses the TAP")
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
  AddLifetime(
      create, [request] { return request->mutable_lifetime(); },
      "When the lease ends by itself (default: persistent, never)");
  AddFormat(create, command);
  ChooseWhenParsed(create, chosen, command);
}

void AddShow(CLI::App& app, std::optional<Command>& chosen) {
  auto command = std::make_shared<ShowLease>();
  CLI::App* show = AddSubcommand(app, "show", "Show a lease, in any format",
                                 "svnetctl show vm1\n"
                                 "  eval \"$(svnetctl show vm1 --format env)\"\n"
                                 "  svnetctl show vm1 --format cloud-init > network-config");
  AddLease(show, std::shared_ptr<v1::GetTapRequest>(command, &command->which));
  AddFormat(show, command);
  ChooseWhenParsed(show, chosen, command);
}

void AddUpdate(CLI::App& app, std::optional<Command>& chosen) {
  auto request = std::make_shared<v1::UpdateTapRequest>();
  CLI::App* update = AddSubcommand(app, "update", "Change a lease while its guest runs",
                                   "svnetctl update vm1 --lifetime persistent\n"
                                   "  svnetctl update vm1 --lifetime process:$$ --if-generation 1");
  AddLease(update, request);
  request->mutable_update_mask()->add_paths("lifetime");
  AddLifetime(
      update, [request] { return request->mutable_tap()->mutable_lifetime(); },
      "When the lease ends by itself from now on")
      ->required();
  update
      ->add_option_function<uint64_t>(
          "--if-generation",
          [request](uint64_t generation) { request->set_if_generation(generation); },
          "Only if the lease has this generation, as `show` prints it")
      ->type_name("N");
  ChooseWhenParsed(update, chosen, request);
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
      "{mtu}, {vm}, {iface} and {boot_args} are replaced; {{tap}} becomes {tap}. The exit\n"
      "code is the program's, or 128 plus the number of the signal that ended it. If the program\n"
      "goes into the background (-daemonize), and a process still has the TAP open, the lease\n"
      "stays until that closes it.");
  AddLeaseToCreate(run, request);
  AddLifetime(
      run, [request] { return request->mutable_lifetime(); },
      "When the lease ends if svnetctl cannot end it (default: with this svnetctl)");
  ChooseWhenParsed(run, chosen, command);
}

}  // namespace svnet::client
