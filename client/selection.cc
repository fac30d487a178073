#include "client/selection.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/account.h"
#include "client/commands.h"

namespace svnet::client {
namespace {

std::string NamesOf(const std::vector<uint32_t>& owners) {
  return absl::StrJoin(owners, ", ", [](std::string* out, uint32_t uid) { *out += UserName(uid); });
}

}  // namespace

std::string Describe(const LeaseName& name) {
  if (!name.tap.empty()) return name.tap;
  std::string text = absl::StrCat(name.vm, " ", name.iface);
  if (name.owner.has_value()) absl::StrAppend(&text, " of ", UserName(*name.owner));
  return text;
}

std::string SuggestIface(const LeaseName& name) {
  if (name.other_ifaces.empty()) return "";
  return absl::StrCat(name.vm, " has ", absl::StrJoin(name.other_ifaces, ", "), ": --iface ",
                      name.other_ifaces.front());
}

std::vector<LeaseName> EachOf(const LeaseNames& names) {
  if (!names.tap.empty()) {
    return {{.vm = "", .iface = "", .tap = names.tap, .owner = names.owner}};
  }
  std::vector<LeaseName> each;
  for (const std::string& vm : names.vms) {
    each.push_back({.vm = vm, .iface = names.iface, .tap = "", .owner = names.owner});
  }
  return each;
}

Failure SeveralOwners(const LeaseName& name, const std::vector<uint32_t>& owners) {
  return {.exit_code = ExitCode::kRefused,
          .code = "FAILED_PRECONDITION",
          .reason = "",
          .message = absl::StrCat("several users have a ", Describe(name), ": ", NamesOf(owners)),
          .hint = absl::StrCat("say whose: --owner ", UserName(owners.front()))};
}

Failure NoSuchLease(const LeaseName& name) {
  const std::string lease = absl::StrCat(name.tap.empty() ? "for " : "", Describe(name));
  const std::string other = SuggestIface(name);
  return {.exit_code = ExitCode::kRefused,
          .code = "NOT_FOUND",
          .reason = "TAP_NOT_FOUND",
          .message = absl::StrCat("there is no TAP ", lease),
          .hint = other.empty() ? "svnetctl list shows your TAPs" : other};
}

Result<std::optional<uint32_t>> FindOwner(Connection& svnetd, LeaseName& name) {
  v1::ListTapsRequest request;
  request.set_vm_id(name.vm);
  const Result<v1::ListTapsResponse> answer = ListAllPages(svnetd, request);
  if (const auto* failure = std::get_if<Failure>(&answer)) return *failure;
  std::set<uint32_t> owners;
  std::set<std::string> ifaces;
  for (const v1::Tap& tap : std::get<v1::ListTapsResponse>(answer).taps()) {
    if (tap.vm_id() != name.vm) continue;  // an earlier svnetd lists all VMs
    ifaces.insert(tap.iface_id());
    if (tap.iface_id() == name.iface) owners.insert(tap.owner_uid());
  }
  if (owners.size() > 1) return SeveralOwners(name, {owners.begin(), owners.end()});
  if (!owners.empty()) return std::make_optional(*owners.begin());
  name.other_ifaces.assign(ifaces.begin(), ifaces.end());
  return std::optional<uint32_t>();
}

}  // namespace svnet::client
