#include "client/subcommands.h"

#include <memory>
#include <string>
#include <vector>

#include "client/create_subcommands.h"
#include "client/options.h"
#include "daemon/base/ipv4.h"

namespace svnet::client {
namespace {

void AddRemove(CLI::App& app, std::optional<Command>& chosen) {
  auto command = std::make_shared<RemoveLeases>();
  CLI::App* remove =
      AddSubcommand(app, "remove", "End leases and remove their TAPs, even if they are open",
                    "svnetctl remove vm1 vm2\n"
                    "  svnetctl remove vm1 --iface eth1\n"
                    "  svnetctl remove --tap svvm1eth0\n"
                    "  sudo svnetctl remove vm1 --owner alice\n"
                    "\n"
                    "Exits with 0 if there is nothing to remove.");
  AddLeases(remove, std::shared_ptr<LeaseNames>(command, &command->which));
  ChooseWhenParsed(remove, chosen, command);
}

void AddFilters(CLI::App* list, const std::shared_ptr<ListLeases>& command) {
  AddNetwork(
      list, [command](const std::string& network) { command->request.set_network(network); },
      "Only the TAPs on this network");
  AddText(list, "--vm", "VM", "Only the TAPs of this VM",
          [command](const std::string& vm) { command->request.set_vm_id(vm); });
  AddOwner(
      list, [command](uint32_t uid) { command->owner = uid; }, "Only the TAPs of this user");
  CLI::Option* attached = list->add_flag_callback(
      "--attached", [command] { command->attached = true; }, "Only TAPs that a VMM has open");
  list->add_flag_callback(
          "--detached", [command] { command->attached = false; }, "Only TAPs that no VMM has open")
      ->excludes(attached);
}

// `command` has a `format`.
template <typename C>
void AddOutput(CLI::App* list, const std::shared_ptr<C>& command, const std::string& description) {
  list->add_option_function<std::string>(
          "-o,--output",
          [command](const std::string& name) { command->format = *ParseListFormat(name); },
          description)
      ->type_name(ListFormatNames())
      ->check(ParsedBy(ParseListFormat));
}

void AddList(CLI::App& app, std::optional<Command>& chosen) {
  auto command = std::make_shared<ListLeases>();
  auto watch = std::make_shared<bool>(false);
  CLI::App* list = AddSubcommand(app, "list", "List your TAPs (administrators: all TAPs)",
                                 "svnetctl list\n"
                                 "  svnetctl list --detached -o wide\n"
                                 "  svnetctl remove $(svnetctl list -o name)\n"
                                 "  svnetctl list --watch\n"
                                 "  svnetctl list --json | jq -r '.taps[].tapName'");
  AddFilters(list, command);
  AddOutput(list, command, "Output format; name: only the VMs");
  list->add_flag("--watch", *watch, "Show the list again after each change, until interrupted");
  list->callback([&chosen, command, watch] {
    if (!*watch) {
      chosen = Command(Request(*command));
      return;
    }
    WatchRun run = {.request = {}, .reconnect = true, .list = *command};
    run.request.set_network(command->request.network());
    chosen = Command(run);
  });
}

void AddBootArgs(CLI::App& app, std::optional<Command>& chosen) {
  auto command = std::make_shared<BootArgsOfLeases>();
  CLI::App* boot_args =
      AddSubcommand(app, "boot-args", "Print the ip= text for the guest's kernel command line",
                    "cmdline=\"console=ttyS0 $(svnetctl boot-args vm1)\"\n"
                    "  svnetctl boot-args vm1 --hostname web --dns 1.1.1.1 --dns 9.9.9.9\n"
                    "\n"
                    "Of several VMs, each line begins with the VM.");
  AddLeases(boot_args, std::shared_ptr<LeaseNames>(command, &command->which));
  AddText(boot_args, "--guest-interface", "NAME",
          "The guest's name for its interface (default: eth0)",
          [command](const std::string& name) { command->request.set_guest_interface(name); });
  AddText(boot_args, "--hostname", "NAME", "The guest's host name (default: none)",
          [command](const std::string& name) { command->request.set_hostname(name); });
  boot_args
      ->add_option_function<std::vector<std::string>>(
          "--dns",
          [command](const std::vector<std::string>& servers) {
            command->request.mutable_dns_servers()->Assign(servers.begin(), servers.end());
          },
          "A DNS server for the guest; may be repeated")
      ->type_name("ADDRESS")
      ->allow_extra_args(false)  // "--dns 1.1.1.1 vm1": vm1 is the VM
      ->check(RefuseBadText);
  ChooseWhenParsed(boot_args, chosen, command);
}

void AddCleanup(CLI::App& app, std::optional<Command>& chosen) {
  auto command = std::make_shared<CleanupLeases>();
  command->request.set_scope(v1::CLEANUP_SCOPE_CALLER);
  CLI::App* cleanup = AddSubcommand(app, "cleanup", "Remove all your TAPs",
                                    "svnetctl cleanup\n"
                                    "  svnetctl cleanup --dry-run\n"
                                    "  sudo svnetctl cleanup --owner alice\n"
                                    "  sudo svnetctl cleanup --network\n"
                                    "  sudo svnetctl cleanup --network --of red\n"
                                    "  sudo svnetctl cleanup --network --of '*'\n"
                                    "\n"
                                    "--network removes a whole network, --of names it. Without "
                                    "--network, --of says on\n"
                                    "which network your TAPs are removed.");
  CLI::Option* network = cleanup->add_flag_callback(
      "--network", [command] { command->request.set_scope(v1::CLEANUP_SCOPE_NETWORK); },
      "Remove all users' TAPs, the NAT rules, and the bridge if svnetd made it (administrators)");
  AddText(cleanup, "--of", "NAME",
          "Only on this network; '*': on all (default: on all, with --network on default)",
          [command](const std::string& name) { command->request.set_network(name); });
  AddOwner(
      cleanup, [command](uint32_t uid) { command->owner = uid; },
      "Remove this user's TAPs instead of yours (administrators)")
      ->excludes(network);
  cleanup->add_flag("--dry-run", command->dry_run, "Only show what would be removed");
  ChooseWhenParsed(cleanup, chosen, command);
}

void AddWatch(CLI::App& app, std::optional<Command>& chosen) {
  auto command = std::make_shared<WatchRun>();
  CLI::App* watch = AddSubcommand(
      app, "watch", "Print events of your TAPs, one per line, until interrupted",
      "svnetctl watch\n"
      "  svnetctl watch --json | jq -r 'select(.type == \"TAP_EVENT_TYPE_DETACHED\")'\n"
      "\n"
      "If svnetd restarts, it connects again and says so on standard error; then the TAPs that\n"
      "exist are printed as ADDED again. It gives up if that takes longer than --timeout.");
  AddNetwork(
      watch, [command](const std::string& network) { command->request.set_network(network); },
      "Only events on this network");
  watch->add_flag_callback(
      "--no-reconnect", [command] { command->reconnect = false; },
      "Exit with 3 when svnetd stops or restarts");
  ChooseWhenParsed(watch, chosen, command);
}

// Exactly one of them must be given.
void AddStates(CLI::App* wait, const std::shared_ptr<WaitRun>& command) {
  const auto add = [&](const std::string& name, LeaseState state, const std::string& description) {
    return wait->add_flag_callback(
        name, [command, state] { command->state = state; }, description);
  };
  CLI::Option* attached = add("--attached", LeaseState::kAttached, "Until a VMM has the TAP open");
  CLI::Option* detached = add("--detached", LeaseState::kDetached,
                              "Until the lease exists and no VMM has its TAP open");
  CLI::Option* removed = add("--removed", LeaseState::kRemoved, "Until the lease has ended");
  detached->excludes(attached);
  removed->excludes(attached)->excludes(detached);
}

void AddWait(CLI::App& app, std::optional<Command>& chosen) {
  auto command = std::make_shared<WaitRun>();
  CLI::App* wait = AddSubcommand(app, "wait", "Wait until a TAP is opened, closed or removed",
                                 "svnetctl wait vm1 --attached --timeout 60\n"
                                 "  svnetctl wait vm1 --removed\n"
                                 "\n"
                                 "Exits with 1 if that takes longer than --timeout.");
  AddLease(wait, std::shared_ptr<LeaseName>(command, &command->which));
  AddStates(wait, command);
  wait->callback([&chosen, command] {
    if (!command->state.has_value())
      throw CLI::RequiredError("--attached, --detached or --removed");
    chosen = Command(*command);
  });
}

void AddNetworks(CLI::App& app, std::optional<Command>& chosen) {
  auto command = std::make_shared<ListNetworks>();
  CLI::App* networks =
      AddSubcommand(app, "networks", "List the networks that you may use",
                    "svnetctl networks\n"
                    "  svnetctl networks -o wide\n"
                    "  svnetctl networks --json | jq -e 'all(.networks[]; .conditions == [])'");
  AddOutput(networks, command, "Output format; name: only the names");
  ChooseWhenParsed(networks, chosen, command);
}

void AddStatus(CLI::App& app, std::optional<Command>& chosen) {
  CLI::App* status = AddSubcommand(app, "status", "Show the network's settings, usage and problems",
                                   "svnetctl status\n"
                                   "  svnetctl status --network red\n"
                                   "  svnetctl status --json | jq -e '.conditions == []'");
  auto request = std::make_shared<v1::GetNetworkRequest>();
  AddNetwork(
      status, [request](const std::string& network) { request->set_network(network); },
      "The network (default: default)");
  ChooseWhenParsed(status, chosen, request);
}

void AddMetrics(CLI::App& app, std::optional<Command>& chosen) {
  CLI::App* metrics =
      AddSubcommand(app, "metrics", "Print svnetd's metrics in Prometheus format (administrators)",
                    "sudo svnetctl metrics\n"
                    "  sudo svnetctl metrics | grep -v '^#' | grep dropped_packets");
  ChooseWhenParsed(metrics, chosen, std::make_shared<v1::GetMetricsRequest>());
}

std::string RefuseOtherThanAddress(const std::string& text) {
  const auto address = Ipv4Address::Parse(text);
  return address.ok() ? "" : std::string(address.status().message());
}

void AddDoctor(CLI::App& app, std::optional<Command>& chosen) {
  auto run = std::make_shared<DoctorRun>();
  CLI::App* doctor =
      AddSubcommand(app, "doctor", "Find out why guests have no network, and how to fix it",
                    "svnetctl doctor\n"
                    "  svnetctl doctor mtu docker\n"
                    "  svnetctl doctor --network gpu\n"
                    "  sudo svnetctl doctor --packet-test --target 1.1.1.1\n"
                    "  svnetctl doctor --json | jq '.findings[] | select(.level == \"problem\")'\n"
                    "\n"
                    "Exit codes: 0 nothing worse than a warning, 1 a problem.");
  doctor->add_option("CHECK", run->checks, "Run only these checks; --list shows them")
      ->type_name("");
  doctor->add_flag("--list", run->list, "List the checks without running them");
  doctor->add_flag("--all", run->all, "Print also what is in order and what was not checked");
  AddText(doctor, "--network", "NETWORK", "Examine only this network (default: all you may use)",
          [run](const std::string& name) { run->network = name; });
  CLI::Option* packets = doctor->add_flag("--packet-test", run->packet_test,
                                          "Act as a guest for a moment and send real packets");
  doctor
      ->add_option("--target", run->target,
                   "The address to ping as that guest (default: the default route's router)")
      ->type_name("ADDRESS")
      ->check(RefuseOtherThanAddress)
      ->needs(packets);
  ChooseWhenParsed(doctor, chosen, run);
}

}  // namespace

void AddSubcommands(CLI::App& app, std::optional<Command>& chosen) {
  AddCreate(app, chosen);
  AddShow(app, chosen);
  AddUpdate(app, chosen);
  AddRun(app, chosen);
  AddRemove(app, chosen);
  AddList(app, chosen);
  AddBootArgs(app, chosen);
  AddCleanup(app, chosen);
  AddNetworks(app, chosen);
  AddStatus(app, chosen);
  AddWatch(app, chosen);
  AddWait(app, chosen);
  AddMetrics(app, chosen);
  AddDoctor(app, chosen);
}

}  // namespace svnet::client
