#include "client/output.h"

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "client/account.h"
#include "client/guest_view.h"
#include "client/lifetime.h"
#include "client/table.h"
#include "client/text.h"

namespace svnet::client {
namespace {

std::string GuestAddress(const v1::Tap& tap) {
  return absl::StrCat(tap.guest_ip(), "/", tap.prefix_length());
}

// With these, a line of `list` has at most 92 columns, and mostly fewer than 80.
constexpr size_t kVmColumns = 20;
constexpr size_t kIfaceColumns = 9;
constexpr size_t kOwnerColumns = 12;

// Looks up each uid once: the account database may be on another host.
class OwnerNames {
 public:
  const std::string& Of(uid_t uid) {
    const auto [found, is_new] = names_.try_emplace(uid);
    if (is_new) found->second = UserName(uid);
    return found->second;
  }

 private:
  std::map<uid_t, std::string> names_;
};

std::string YesOrNo(bool yes) { return yes ? "yes" : "no"; }

// Empty: an earlier svnetd has not said when.
std::string Created(const v1::Tap& tap) {
  if (!tap.has_create_time()) return "";
  return absl::FormatTime(absl::RFC3339_sec, absl::FromUnixSeconds(tap.create_time().seconds()),
                          absl::LocalTimeZone());
}

Row TapRow(const v1::Tap& tap, OwnerNames& owners) {
  return {Elided(tap.vm_id(), kVmColumns),
          Elided(tap.iface_id(), kIfaceColumns),
          GuestAddress(tap),
          tap.tap_name(),
          Elided(owners.Of(tap.owner_uid()), kOwnerColumns),
          YesOrNo(tap.attached())};
}

Row WideTapRow(const v1::Tap& tap, OwnerNames& owners) {
  return {tap.vm_id(),
          tap.iface_id(),
          GuestAddress(tap),
          tap.tap_name(),
          owners.Of(tap.owner_uid()),
          YesOrNo(tap.attached()),
          tap.mac(),
          absl::StrCat(tap.queues()),
          tap.has_group_gid() ? GroupName(tap.group_gid()) : "-",
          FormatLifetime(tap.lifetime()),
          Created(tap),
          tap.network()};
}

std::string RenderRows(Row heading, const std::vector<v1::Tap>& taps,
                       Row (*row)(const v1::Tap&, OwnerNames&)) {
  OwnerNames owners;
  std::vector<Row> rows = {std::move(heading)};
  for (const v1::Tap& tap : taps) rows.push_back(row(tap, owners));
  return RenderTable(rows);
}

// The facts that a VMM and its guest need.
std::vector<Row> FactsOfUse(const v1::Tap& tap) {
  std::vector<Row> facts = {{"tap", tap.tap_name()},
                            {"guest address", GuestAddress(tap)},
                            {"gateway", tap.gateway_ip()},
                            {"guest mac", tap.mac()},
                            {"mtu", absl::StrCat(tap.mtu())}};
  if (tap.has_guest_view()) facts.push_back({"guest view", FormatGuestView(tap.guest_view())});
  if (tap.queues() > 1) {
    facts.push_back({"queues", absl::StrCat(tap.queues(), " (open it with IFF_MULTI_QUEUE)")});
  }
  if (tap.has_group_gid()) facts.push_back({"group", GroupName(tap.group_gid())});
  return facts;
}

// "ATTACHED"; the number of a type that this svnetctl does not know.
std::string EventName(v1::TapEventType type) {
  const std::string& name = v1::TapEventType_Name(type);
  if (name.empty()) return absl::StrCat("EVENT_", static_cast<int>(type));
  return std::string(absl::StripPrefix(name, "TAP_EVENT_TYPE_"));
}

// The lease that an event is about; empty: it is about the whole network.
std::string LeaseOf(const v1::TapEvent& event) {
  if (!event.has_tap()) return "";
  const v1::Tap& tap = event.tap();
  return absl::StrCat("  ", Printable(tap.tap_name()), "  ", Printable(tap.vm_id()), " ",
                      Printable(tap.iface_id()), "  ", Printable(GuestAddress(tap)), "  owner ",
                      Printable(UserName(tap.owner_uid())));
}

absl::Time TimeOf(const v1::TapEvent& event) {
  return absl::FromUnixSeconds(event.time().seconds()) + absl::Nanoseconds(event.time().nanos());
}

// "vm1 eth0 existed already"; empty: it is new. An svnetd that does not number generations does not
// say whether a lease is new either.
std::string WhetherItExisted(const v1::CreateTapResponse& response) {
  const v1::Tap& tap = response.tap();
  if (response.created() || tap.generation() == 0) return "";
  return absl::StrCat(Printable(tap.vm_id()), " ", Printable(tap.iface_id()), " existed already\n");
}

std::string CountTaps(uint32_t count) { return absl::StrCat(count, count == 1 ? " TAP" : " TAPs"); }

}  // namespace

std::string RenderCreated(const v1::CreateTapResponse& response) {
  const v1::Tap& tap = response.tap();
  return absl::StrCat(RenderTable(FactsOfUse(tap)), "\n", WhetherItExisted(response),
                      "for the guest's kernel command line: svnetctl boot-args --tap ",
                      Printable(tap.tap_name()), "\n");
}

std::string RenderAllCreated(const std::vector<v1::CreateTapResponse>& responses) {
  std::vector<v1::Tap> taps;
  std::string existed;
  for (const v1::CreateTapResponse& response : responses) {
    taps.push_back(response.tap());
    existed += WhetherItExisted(response);
  }
  return absl::StrCat(RenderTaps(taps), existed.empty() ? "" : "\n", existed);
}

std::string RenderTap(const v1::Tap& tap) {
  std::vector<Row> facts = FactsOfUse(tap);
  facts.push_back({"vm", tap.vm_id()});
  facts.push_back({"iface", tap.iface_id()});
  // An earlier svnetd has only one.
  if (!tap.network().empty()) facts.push_back({"network", tap.network()});
  facts.push_back({"owner", UserName(tap.owner_uid())});
  facts.push_back({"lifetime", FormatLifetime(tap.lifetime())});
  facts.push_back({"attached", YesOrNo(tap.attached())});
  // A svnetd of before there were any has not set these.
  if (tap.generation() > 0) {
    facts.push_back({"generation", absl::StrCat(tap.generation())});
    facts.push_back({"created", Created(tap)});
  }
  return RenderTable(facts);
}

std::string RenderRemoved(const std::string& name, const v1::RemoveTapResponse& response) {
  if (response.removed()) return absl::StrCat("removed ", Printable(name), "\n");
  return absl::StrCat(Printable(name), " does not exist: nothing to remove\n");
}

std::string RenderTaps(const std::vector<v1::Tap>& taps) {
  return RenderRows({"VM", "IFACE", "ADDRESS", "TAP", "OWNER", "ATTACHED"}, taps, TapRow);
}

std::string RenderTapsWide(const std::vector<v1::Tap>& taps) {
  return RenderRows({"VM", "IFACE", "ADDRESS", "TAP", "OWNER", "ATTACHED", "MAC", "QUEUES", "GROUP",
                     "LIFETIME", "CREATED", "NETWORK"},
                    taps, WideTapRow);
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

std::string RenderEvent(const v1::TapEvent& event) {
  std::string line = absl::StrFormat(
      "%s  %-8s%s", absl::FormatTime(absl::RFC3339_sec, TimeOf(event), absl::LocalTimeZone()),
      EventName(event.type()), LeaseOf(event));
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

}  // namespace svnet::client
