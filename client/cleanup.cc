#include "client/cleanup.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/account.h"
#include "client/commands.h"
#include "client/json.h"
#include "client/list.h"
#include "client/output.h"

namespace svnet::client {
namespace {

using Stub = Connection::Stub;

constexpr char kAllNetworks[] = "*";
constexpr char kDefaultNetwork[] = "default";

bool IsOfNetwork(const CleanupLeases& cleanup) {
  return cleanup.request.scope() == v1::CLEANUP_SCOPE_NETWORK;
}

// The only network that it is about; empty: all.
std::string NetworkOf(const CleanupLeases& cleanup) {
  const std::string& name = cleanup.request.network();
  if (name == kAllNetworks) return "";
  return name.empty() && IsOfNetwork(cleanup) ? kDefaultNetwork : name;
}

Result<std::vector<v1::Tap>> ListOf(Connection& svnetd, const CleanupLeases& cleanup,
                                    const std::optional<uint32_t>& owner) {
  v1::ListTapsRequest request;
  request.set_network(NetworkOf(cleanup));
  const Result<v1::ListTapsResponse> answer = ListAllPages(svnetd, request);
  if (const auto* failure = std::get_if<Failure>(&answer)) return *failure;
  const auto& taps = std::get<v1::ListTapsResponse>(answer).taps();
  return Selected({taps.begin(), taps.end()},
                  {.request = {}, .owner = owner, .attached = {}, .format = {}});
}

Outcome ShowCleanup(const v1::CleanupResponse& response, Format format) {
  if (format == Format::kPeople) return RenderCleanup(response);
  return ShowJson(response);
}

// Only an administrator has no limit.
Result<bool> IsAdministrator(Connection& svnetd) {
  const auto answer = svnetd.Call(&Stub::GetNetwork, v1::GetNetworkRequest());
  if (const auto* failure = std::get_if<Failure>(&answer)) return *failure;
  return !std::get<v1::GetNetworkResponse>(answer).quota().has_taps_limit();
}

// A user sees no others than its own. Its uid does not tell which those are, if it is in a user
// namespace of its own.
Result<std::optional<uint32_t>> OwnerOfOwn(Connection& svnetd) {
  const Result<bool> administrator = IsAdministrator(svnetd);
  if (const auto* failure = std::get_if<Failure>(&administrator)) return *failure;
  return std::get<bool>(administrator) ? std::make_optional<uint32_t>(geteuid()) : std::nullopt;
}

// Whose leases it would remove; nullopt: all that the caller sees.
Result<std::optional<uint32_t>> OwnerOf(Connection& svnetd, const CleanupLeases& cleanup) {
  if (IsOfNetwork(cleanup)) return std::optional<uint32_t>();
  if (cleanup.owner.has_value()) return cleanup.owner;
  return OwnerOfOwn(svnetd);
}

std::string RenderPlan(const std::vector<v1::Tap>& taps, const CleanupLeases& cleanup) {
  const bool network = IsOfNetwork(cleanup);
  if (taps.empty() && !network) return "nothing to remove\n";
  std::string text = taps.empty() ? "no TAPs to remove\n" : "would remove:\n" + RenderTaps(taps);
  if (!network) return text;
  const std::string name = NetworkOf(cleanup);
  return absl::StrCat(text, "and the NAT rules, and the bridge if svnetd made it, of ",
                      name.empty() ? "all networks" : absl::StrCat("the network ", name), "\n");
}

Outcome ShowPlan(Connection& svnetd, const CleanupLeases& cleanup, Format format) {
  const auto owner = OwnerOf(svnetd, cleanup);
  if (const auto* failure = std::get_if<Failure>(&owner)) return *failure;
  const auto listed = ListOf(svnetd, cleanup, std::get<std::optional<uint32_t>>(owner));
  if (const auto* failure = std::get_if<Failure>(&listed)) return *failure;
  const auto& taps = std::get<std::vector<v1::Tap>>(listed);
  if (format == Format::kPeople) return RenderPlan(taps, cleanup);
  return RenderList(taps,
                    {.request = {}, .owner = {}, .attached = {}, .format = ListFormat::kJson});
}

// To a user, who sees none of them, it would look as if there were none.
std::optional<Failure> RefuseOthers(Connection& svnetd, const CleanupLeases& cleanup) {
  if (!cleanup.owner.has_value() || *cleanup.owner == geteuid()) return std::nullopt;
  const Result<bool> administrator = IsAdministrator(svnetd);
  if (const auto* failure = std::get_if<Failure>(&administrator)) return *failure;
  if (std::get<bool>(administrator)) return std::nullopt;
  return Failure{.exit_code = ExitCode::kRefused,
                 .code = "PERMISSION_DENIED",
                 .reason = "PERMISSION_DENIED",
                 .message = absl::StrCat("only administrators may remove the TAPs of ",
                                         UserName(*cleanup.owner))};
}

// One by one: svnetd's own Cleanup knows only the caller's leases and those of all.
Outcome CleanUpOwner(Connection& svnetd, const CleanupLeases& cleanup, Format format) {
  const uint32_t owner = *cleanup.owner;
  const auto listed = ListOf(svnetd, cleanup, owner);
  if (const auto* failure = std::get_if<Failure>(&listed)) return *failure;
  v1::CleanupResponse response;
  for (const v1::Tap& tap : std::get<std::vector<v1::Tap>>(listed)) {
    v1::RemoveTapRequest request;
    SetName({.vm = tap.vm_id(), .iface = tap.iface_id(), .tap = "", .owner = owner}, request);
    const auto answer = svnetd.Call(&Stub::RemoveTap, request);
    if (const auto* failure = std::get_if<Failure>(&answer)) return *failure;
    const bool removed = std::get<v1::RemoveTapResponse>(answer).removed();
    response.set_taps_removed(response.taps_removed() + (removed ? 1 : 0));
  }
  return ShowCleanup(response, format);
}

// What --network needs besides to remove all of `taps`: " --of red", for a shell.
std::string SuggestOf(const CleanupLeases& cleanup, const std::vector<v1::Tap>& taps) {
  const std::string& name = cleanup.request.network();
  if (!name.empty()) return name == kAllNetworks ? " --of '*'" : absl::StrCat(" --of ", name);
  const bool elsewhere = std::any_of(taps.begin(), taps.end(), [](const v1::Tap& tap) {
    // An earlier svnetd has only one.
    return !tap.network().empty() && tap.network() != kDefaultNetwork;
  });
  return elsewhere ? " --of '*'" : "";
}

// Empty: the caller sees none of others.
Outcome RenderOthers(Connection& svnetd, const CleanupLeases& cleanup) {
  const auto listed = ListOf(svnetd, cleanup, std::nullopt);
  if (const auto* failure = std::get_if<Failure>(&listed)) return *failure;
  std::map<uint32_t, int> counts;
  const auto& taps = std::get<std::vector<v1::Tap>>(listed);
  for (const v1::Tap& tap : taps) ++counts[tap.owner_uid()];
  counts.erase(geteuid());
  if (counts.empty()) return "";
  const std::string others =
      absl::StrJoin(counts, ", ", [](std::string* out, const std::pair<uint32_t, int>& count) {
        absl::StrAppend(out, UserName(count.first), " (", count.second, ")");
      });
  const std::string of = SuggestOf(cleanup, taps);
  return absl::StrCat("others have TAPs: ", others, "\nto remove them: svnetctl cleanup --owner ",
                      UserName(counts.begin()->first), cleanup.request.network().empty() ? "" : of,
                      ", or --network", of, " for all\n");
}

}  // namespace

Outcome Cleanup(Connection& svnetd, const CleanupLeases& cleanup, Format format) {
  if (const auto refused = RefuseOthers(svnetd, cleanup)) return *refused;
  if (cleanup.dry_run) return ShowPlan(svnetd, cleanup, format);
  if (cleanup.owner.has_value()) return CleanUpOwner(svnetd, cleanup, format);
  const auto answer = svnetd.Call(&Stub::Cleanup, cleanup.request);
  if (const auto* failure = std::get_if<Failure>(&answer)) return *failure;
  const auto& response = std::get<v1::CleanupResponse>(answer);
  Outcome shown = ShowCleanup(response, format);
  const bool none = response.taps_removed() == 0 && !IsOfNetwork(cleanup);
  if (!none || format == Format::kJson || std::holds_alternative<Failure>(shown)) return shown;
  const Outcome others = RenderOthers(svnetd, cleanup);
  if (const auto* failure = std::get_if<Failure>(&others)) return *failure;
  return std::get<std::string>(shown) + std::get<std::string>(others);
}

}  // namespace svnet::client
