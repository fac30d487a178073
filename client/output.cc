#include "client/output.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/lifetime.h"
#include "client/table.h"
#include "client/text.h"

namespace svnet::client {
namespace {

std::string GuestAddress(const v1::Tap& tap) {
  return absl::StrCat(tap.guest_ip(), "/", tap.prefix_length());
}

Row TapRow(const v1::Tap& tap) {
  return {tap.tap_name(),
          tap.vm_id(),
          tap.iface_id(),
          GuestAddress(tap),
          tap.mac(),
          absl::StrCat(tap.owner_uid()),
          tap.attached() ? "yes" : "no"};
}

std::string Bridge(const v1::GetNetworkResponse& network) {
  return absl::StrCat(
      network.bridge(),
      network.bridge_up() ? ", up" : ", does not exist yet: svnetd creates it with the first TAP");
}

std::string Addresses(const v1::GetNetworkResponse::Addresses& addresses) {
  std::string text = absl::StrCat(addresses.used(), " of ", addresses.total(), " used");
  if (addresses.reaping() > 0) absl::StrAppend(&text, ", ", addresses.reaping(), " free soon");
  return text;
}

std::string Ports(const v1::GetNetworkResponse::Ports& ports) {
  return absl::StrCat(ports.used(), " of ", ports.limit(), " used");
}

std::string RenderCondition(const v1::GetNetworkResponse::Condition& condition) {
  std::string text =
      absl::StrCat("  ", Printable(condition.type()), ": ", Printable(condition.message()), "\n");
  if (!condition.remedy().empty()) {
    absl::StrAppend(&text, "    remedy: ", Printable(condition.remedy()), "\n");
  }
  return text;
}

std::string RenderConditions(const v1::GetNetworkResponse& network) {
  if (network.conditions().empty()) return "no problems known\n";
  std::string text = "problems:\n";
  for (const auto& condition : network.conditions()) text += RenderCondition(condition);
  return text;
}

// The facts that a VMM and its guest need.
std::vector<Row> FactsOfUse(const v1::Tap& tap) {
  std::vector<Row> facts = {{"tap", tap.tap_name()},
                            {"guest address", GuestAddress(tap)},
                            {"gateway", tap.gateway_ip()},
                            {"guest mac", tap.mac()},
                            {"mtu", absl::StrCat(tap.mtu())}};
  if (tap.queues() > 1) {
    facts.push_back({"queues", absl::StrCat(tap.queues(), " (open it with IFF_MULTI_QUEUE)")});
  }
  return facts;
}

// "ATTACHED"; the number of a type that this svnetctl does not know.
std::string EventName(v1::TapEventType type) {
  const std::string& name = v1::TapEventType_Name(type);
  if (name.empty()) return absl::StrCat("EVENT_", static_cast<int>(type));
  return std::string(absl::StripPrefix(name, "TAP_EVENT_TYPE_"));
}

std::string FormatSeconds(int64_t unix_seconds) {
  return absl::FormatTime(absl::RFC3339_sec, absl::FromUnixSeconds(unix_seconds),
                          absl::LocalTimeZone());
}

std::string Quota(uint32_t used, bool has_limit, uint32_t limit) {
  return has_limit ? absl::StrCat(used, " of ", limit) : absl::StrCat(used, ", without a limit");
}

std::string CountTaps(uint32_t count) { return absl::StrCat(count, count == 1 ? " TAP" : " TAPs"); }

}  // namespace

std::string RenderCreated(const v1::CreateTapResponse& response) {
  return absl::StrCat(RenderTable(FactsOfUse(response.tap())),
                      "\nfor the guest's kernel command line: ", "svnetctl boot-args --tap ",
                      Printable(response.tap().tap_name()), "\n");
}

std::string RenderTap(const v1::Tap& tap) {
  std::vector<Row> facts = FactsOfUse(tap);
  facts.push_back({"vm", tap.vm_id()});
  facts.push_back({"iface", tap.iface_id()});
  facts.push_back({"owner", absl::StrCat(tap.owner_uid())});
  facts.push_back({"lifetime", FormatLifetime(tap.lifetime())});
  facts.push_back({"attached", tap.attached() ? "yes" : "no"});
  // A svnetd of before there were any has not set these.
  if (tap.generation() > 0) {
    facts.push_back({"generation", absl::StrCat(tap.generation())});
    facts.push_back({"created", FormatSeconds(tap.create_time().seconds())});
  }
  return RenderTable(facts);
}

std::string RenderRemoved(const v1::RemoveTapResponse& response) {
  return response.removed() ? "removed\n" : "nothing to remove\n";
}

std::string RenderTaps(const v1::ListTapsResponse& response) {
  std::vector<Row> rows = {{"TAP", "VM", "IFACE", "ADDRESS", "MAC", "OWNER", "ATTACHED"}};
  for (const v1::Tap& tap : response.taps()) rows.push_back(TapRow(tap));
  return RenderTable(rows);
}

std::string RenderBootArgs(const v1::GetBootArgsResponse& response) {
  return Printable(response.boot_args()) + "\n";
}

std::string RenderCleanup(const v1::CleanupResponse& response) {
  std::vector<std::string> removed;
  if (response.taps_removed() > 0) removed.push_back(CountTaps(response.taps_removed()));
  if (response.bridge_removed()) removed.push_back("the bridge");
  if (response.nat_removed()) removed.push_back("the NAT rules");
  if (removed.empty()) return "nothing to remove\n";
  return absl::StrCat("removed ", absl::StrJoin(removed, ", "), "\n");
}

std::string RenderEvent(const v1::TapEvent& event, absl::Time when) {
  const v1::Tap& tap = event.tap();
  std::string line =
      absl::StrFormat("%s  %-8s  %s  %s %s  %s  uid %u",
                      absl::FormatTime(absl::RFC3339_sec, when, absl::LocalTimeZone()),
                      EventName(event.type()), Printable(tap.tap_name()), Printable(tap.vm_id()),
                      Printable(tap.iface_id()), Printable(GuestAddress(tap)), tap.owner_uid());
  if (!event.message().empty()) absl::StrAppend(&line, "  ", Printable(event.message()));
  return line + "\n";
}

std::string RenderMetrics(const v1::GetMetricsResponse& response) {
  std::string text;
  for (const absl::string_view line : absl::StrSplit(response.text(), '\n', absl::SkipEmpty())) {
    absl::StrAppend(&text, Printable(line), "\n");
  }
  return text;
}

std::string RenderNetwork(const v1::GetNetworkResponse& response) {
  std::vector<Row> facts = {{"bridge", Bridge(response)},
                            {"prefix", response.prefix()},
                            {"gateway", response.gateway()},
                            {"mtu", absl::StrCat(response.mtu())},
                            {"addresses", Addresses(response.addresses())},
                            {"ports", Ports(response.ports())}};
  if (response.has_quota()) {
    const auto& quota = response.quota();
    facts.push_back({"your TAPs", Quota(quota.taps(), quota.has_taps_limit(), quota.taps_limit())});
  }
  // An svnetd that answers has at least one, unless it is of an earlier version.
  if (response.gates() > 0) facts.push_back({"gates", absl::StrCat(response.gates())});
  facts.push_back({"svnetd", response.daemon_version()});
  return absl::StrCat(RenderTable(facts), "\n", RenderConditions(response));
}

}  // namespace svnet::client
