#include "client/create_subcommands.h"

#include <cstdint>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/guest_view.h"
#include "client/lease_format.h"
#include "client/lifetime.h"
#include "client/options.h"
#include "client/snapshot_view.h"

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
      ->check(NumberFrom(1, 256));
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

void AddAddresses(CLI::App* subcommand, const std::shared_ptr<v1::CreateTapRequest>& request) {
  AddText(subcommand, "--ip", "ADDRESS", "This guest address (default: the next free one)",
          [request](const std::string& ip) { request->set_ip_address(ip); });
  AddText(subcommand, "--mac", "MAC", "This guest MAC (default: derived from VM and IFACE)",
          [request](const std::string& mac) { request->set_mac_address(mac); });
}

void AddGuestView(CLI::App* subcommand, const std::shared_ptr<v1::CreateTapRequest>& request) {
  subcommand
      ->add_option_function<std::string>(
          "--guest-view",
          [request](const std::string& text) {
            *request->mutable_guest_view() = *ParseGuestView(text);
          },
          "What the guest believes, because it was restored from a snapshot: its address, gateway "
          "and MAC, and its gateway's MAC (default: the network's)")
      ->type_name("ADDRESS/LENGTH,GATEWAY,MAC[,GATEWAY_MAC]")
      ->check(ParsedBy(ParseGuestView));
}

// A configuration is some kilobytes.
constexpr size_t kMaxSnapshot = 4 << 20;

std::string ReadSnapshot(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxSnapshot, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.eof()) throw CLI::ValidationError("--like", absl::StrCat("cannot read ", path));
  text.resize(file.gcount());
  return text;
}

// What is returned is to be called when all options are known: which interface it is may come
// later.
std::function<void()> AddLike(CLI::App* subcommand,
                              const std::shared_ptr<v1::CreateTapRequest>& request) {
  const auto path = std::make_shared<std::string>();
  AddText(subcommand, "--like", "FILE",
          "The guest view that is in this configuration of the VM of which the snapshot was taken: "
          "Cloud Hypervisor's config.json, Firecracker's configuration file, or what show --json "
          "printed",
          [path](const std::string& text) { *path = text; })
      ->excludes(subcommand->get_option("--guest-view"));
  return [path, request] {
    if (path->empty()) return;
    const auto view = ViewInSnapshot(ReadSnapshot(*path), request->iface_id());
    if (!view.ok()) {
      throw CLI::ValidationError("--like", absl::StrCat(*path, ": ", view.status().message()));
    }
    *request->mutable_guest_view() = *view;
  };
}

// All options of a CreateTapRequest except its VM and its lifetime. What is returned is to be
// called when they are known.
std::function<void()> AddLeaseToCreate(CLI::App* subcommand,
                                       const std::shared_ptr<v1::CreateTapRequest>& request) {
  request->set_iface_id(kDefaultIface);
  AddIface(subcommand, [request](const std::string& iface) { request->set_iface_id(iface); });
  AddNetwork(
      subcommand, [request](const std::string& network) { request->set_network(network); },
      "The network (default: default); svnetctl networks lists them");
  AddAddresses(subcommand, request);
  AddGuestView(subcommand, request);
  AddOwner(
      subcommand, [request](uint32_t uid) { request->set_owner_uid(uid); },
      "The user who may open the TAP (default: you; others: administrators)");
  AddGroup(subcommand, request);
  AddQueues(subcommand, request);
  return AddLike(subcommand, request);
}

// Several VMs cannot have the same address.
void RefuseSharedAddresses(const CreateLeases& create) {
  if (create.vms.size() < 2) return;
  if (!create.request.ip_address().empty() || !create.request.mac_address().empty()) {
    throw CLI::ValidationError("--ip and --mac are for one VM");
  }
}

// The text of some formats is about one lease: a second would overwrite its values.
void RefuseSeveral(const std::vector<std::string>& vms, LeaseFormat format) {
  if (vms.size() < 2) return;
  if (format == LeaseFormat::kEnv || format == LeaseFormat::kCloudInit) {
    throw CLI::ValidationError("the formats env and cloud-init are for one VM");
  }
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
  auto command = std::make_shared<CreateLeases>();
  CLI::App* create =
      AddSubcommand(app, "create", "Lease a TAP, an address and a MAC to each VM; safe to repeat",
                    "svnetctl create vm1\n"
                    "  svnetctl create vm1 vm2 vm3\n"
                    "  svnetctl create vm1 --iface eth1 --ip 172.30.0.40\n"
                    "  qemu-system-x86_64 $(svnetctl create vm1 --format qemu) ...\n"
                    "  sudo svnetctl create vm1 --owner alice --group kvm");
  const std::shared_ptr<v1::CreateTapRequest> request(command, &command->request);
  AddVms(create, [command](const std::vector<std::string>& vms) {
    command->vms = vms;
  })->required();
  const std::function<void()> complete = AddLeaseToCreate(create, request);
  AddLifetime(
      create, [request] { return request->mutable_lifetime(); },
      "When the lease ends by itself (default: persistent, never)");
  AddFormat(create, command);
  create->parse_complete_callback([command, complete] {
    complete();
    RefuseSharedAddresses(*command);
    RefuseSeveral(command->vms, command->format);
  });
  ChooseWhenParsed(create, chosen, command);
}

void AddShow(CLI::App& app, std::optional<Command>& chosen) {
  auto command = std::make_shared<ShowLeases>();
  CLI::App* show = AddSubcommand(app, "show", "Show leases, in any format",
                                 "svnetctl show vm1\n"
                                 "  eval \"$(svnetctl show vm1 --format env)\"\n"
                                 "  svnetctl show vm1 --format cloud-init > network-config");
  AddLeases(show, std::shared_ptr<LeaseNames>(command, &command->which));
  AddFormat(show, command);
  show->callback([&chosen, command] {
    RefuseSeveral(command->which.vms, command->format);
    chosen = Command(*command);
  });
}

void AddUpdate(CLI::App& app, std::optional<Command>& chosen) {
  auto command = std::make_shared<UpdateLease>();
  CLI::App* update = AddSubcommand(app, "update", "Change a lease while its guest runs",
                                   "svnetctl update vm1 --lifetime persistent\n"
                                   "  svnetctl update vm1 --lifetime process:$$ --if-generation 1");
  AddLease(update, std::shared_ptr<LeaseName>(command, &command->which));
  command->request.mutable_update_mask()->add_paths("lifetime");
  AddLifetime(
      update, [command] { return command->request.mutable_tap()->mutable_lifetime(); },
      "When the lease ends by itself from now on")
      ->required();
  update
      ->add_option_function<uint64_t>(
          "--if-generation",
          [command](uint64_t generation) { command->request.set_if_generation(generation); },
          "Only if the lease has this generation, as `show` prints it")
      ->type_name("N")
      ->check(NumberFrom(0, UINT64_MAX));
  ChooseWhenParsed(update, chosen, command);
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
      "{mtu}, {vm}, {iface} and {boot_args} are replaced; {{tap}} becomes {tap}. {fd} becomes\n"
      "the number of a descriptor with which the program has the TAP open already, so that it\n"
      "need not open it by its name; those of several queues are 3,4 and, with {fds}, 3:4. The "
      "exit\n"
      "code is the program's, or 128 plus the number of the signal that ended it. If the program\n"
      "goes into the background (-daemonize), and a process still has the TAP open, the lease\n"
      "stays until that closes it.");
  AddVm(run, [request](const std::string& vm) { request->set_vm_id(vm); })->required();
  run->parse_complete_callback(AddLeaseToCreate(run, request));
  AddLifetime(
      run, [request] { return request->mutable_lifetime(); },
      "When the lease ends if svnetctl cannot end it (default: with this svnetctl)");
  ChooseWhenParsed(run, chosen, command);
}

}  // namespace svnet::client
