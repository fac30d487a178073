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
  auto request = std::make_shared<v1::RemoveTapRequest>();
  CLI::App* remove =
      AddSubcommand(app, "remove", "End a lease and remove its TAP, even if it is open",
                    "svnetctl remove vm1\n"
                    "  svnetctl remove vm1 eth1\n"
                    "  svnetctl remove --tap svvm1eth0");
  AddLease(remove, request);
  ChooseWhenParsed(remove, chosen, request);
}

void AddList(CLI::App& app, std::optional<Command>& chosen) {
  CLI::App* list = AddSubcommand(app, "list", "List your TAPs (administrators: all TAPs)",
                                 "svnetctl list\n"
                                 "  svnetctl list --vm vm1\n"
                                 "  svnetctl list --json | jq -r '.taps[].tapName'");
  auto request = std::make_shared<v1::ListTapsRequest>();
  AddText(list, "--vm", "VM", "Only the TAPs of this VM",
          [request](const std::string& vm) { request->set_vm_id(vm); });
  ChooseWhenParsed(list, chosen, request);
}

void AddBootArgs(CLI::App& app, std::optional<Command>& chosen) {
  auto request = std::make_shared<v1::GetBootArgsRequest>();
  CLI::App* boot_args =
      AddSubcommand(app, "boot-args", "Print the ip= text for the guest's kernel command line",
                    "cmdline=\"console=ttyS0 $(svnetctl boot-args vm1)\"\n"
                    "  svnetctl boot-args vm1 --hostname web --dns 1.1.1.1 --dns 9.9.9.9");
  AddLease(boot_args, request);
  AddText(boot_args, "--guest-interface", "NAME",
          "The guest's name for its interface (default: eth0)",
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

void AddCleanup(CLI::App& app, std::optional<Command>& chosen) {
  auto request = std::make_shared<v1::CleanupRequest>();
  request->set_scope(v1::CLEANUP_SCOPE_CALLER);
  CLI::App* cleanup = AddSubcommand(app, "cleanup", "Remove all your TAPs",
                                    "svnetctl cleanup\n"
                                    "  sudo svnetctl cleanup --network");
  cleanup->add_flag_callback(
      "--network", [request] { request->set_scope(v1::CLEANUP_SCOPE_NETWORK); },
      "Remove all users' TAPs, the NAT rules, and the bridge if svnetd made it (administrators)");
  ChooseWhenParsed(cleanup, chosen, request);
}

void AddWatch(CLI::App& app, std::optional<Command>& chosen) {
  CLI::App* watch = AddSubcommand(
      app, "watch", "Print events of your TAPs, one per line, until interrupted",
      "svnetctl watch\n"
      "  svnetctl watch --json | jq -r 'select(.type == \"TAP_EVENT_TYPE_DETACHED\")'");
  ChooseWhenParsed(watch, chosen, std::make_shared<v1::WatchTapsRequest>());
}

void AddStatus(CLI::App& app, std::optional<Command>& chosen) {
  CLI::App* status = AddSubcommand(app, "status", "Show the network's settings, usage and problems",
                                   "svnetctl status\n"
                                   "  svnetctl status --json | jq -e '.conditions == []'");
  ChooseWhenParsed(status, chosen, std::make_shared<v1::GetNetworkRequest>());
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
                    "  sudo svnetctl doctor --packet-test --target 1.1.1.1\n"
                    "  svnetctl doctor --json | jq '.findings[] | select(.level == \"problem\")'\n"
                    "\n"
                    "Exit codes: 0 nothing worse than a warning, 1 a problem.");
  doctor->add_option("CHECK", run->checks, "Run only these checks; --list shows them")
      ->type_name("");
  doctor->add_flag("--list", run->list, "List the checks without running them");
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
  AddStatus(app, chosen);
  AddWatch(app, chosen);
  AddMetrics(app, chosen);
  AddDoctor(app, chosen);
}

}  // namespace svnet::client
