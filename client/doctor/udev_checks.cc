// What udev does to TAPs.
#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/doctor/checks.h"

namespace svnet::client {
namespace {

// From as many TAPs on, of those that there are or may be, it matters what udev does for each.
constexpr int64_t kManyTaps = 256;

constexpr char kUdevRules[] = "99-zz-svnet.rules";
constexpr char kTellUdev[] =
    " && udevadm control --reload && udevadm trigger --subsystem-match=net --sysname-match='sv*'";

// What udev knows of the link. Empty: nothing, or a link of another network namespace has this
// index.
std::string UdevDataOf(const Observed& observed, const HostLink& link) {
  const auto data = observed.host.ReadFile(absl::StrCat("/run/udev/data/n", link.ifindex));
  const bool is_of_link =
      data.ok() && (absl::StrContains(*data, absl::StrCat("=", link.name, "\n")) ||
                    absl::StrContains(*data, absl::StrCat("/", link.name, "\n")));
  return is_of_link ? *data : "";
}

// What udev knows of our TAPs, by their names.
struct UdevView {
  // By the .link file that it took for them.
  std::map<std::string, std::vector<std::string>> by_file;
  // Those for which it has systemd make units.
  std::vector<std::string> with_units;
};

UdevView ReadUdevView(const Observed& observed) {
  constexpr absl::string_view kLinkFile = "E:ID_NET_LINK_FILE=";
  UdevView view;
  for (const HostLink& link : observed.links) {
    if (IsBridge(observed, link) || !IsOurs(observed, link)) continue;
    const std::string data = UdevDataOf(observed, link);
    for (absl::string_view line : absl::StrSplit(data, '\n')) {
      if (line == "Q:systemd") view.with_units.push_back(link.name);
      if (absl::ConsumePrefix(&line, kLinkFile)) {
        view.by_file[std::string(line)].push_back(link.name);
      }
    }
  }
  return view;
}

// Whether that .link file has udev choose MACs.
bool SetsMacs(const Host& host, const std::string& file) {
  const std::string text = host.ReadFile(file).value_or("");
  return absl::StrContains(text, "\nMACAddressPolicy=persistent") ||
         absl::StrContains(text, "\nMACAddressPolicy=random");
}

// Or there is something in its place, by which the host's administrator does without it.
bool HasUdevRules(const Host& host) {
  constexpr const char* kFolders[] = {"/etc/udev/rules.d/", "/run/udev/rules.d/",
                                      "/usr/lib/udev/rules.d/", "/lib/udev/rules.d/"};
  return std::any_of(std::begin(kFolders), std::end(kFolders), [&](const char* folder) {
    return host.Stat(absl::StrCat(folder, kUdevRules)).ok();
  });
}

Findings MacsAreInDanger(const std::string& file, const std::vector<std::string>& taps) {
  return Warning(absl::StrCat("udev takes ", file, " for ", NameSome(taps),
                              ": it may change the MAC of a new TAP, which ends its lease"),
                 absl::StrCat("printf '[Match]\\nDriver=tun\\nOriginalName=sv*\\n[Link]\\n"
                              "MACAddressPolicy=none\\n' > /etc/systemd/network/05-svnet.link",
                              kTellUdev));
}

Findings TapsCostTooMuch(int64_t number, const std::vector<std::string>& with_units) {
  return Warning(absl::StrCat("udev runs a program and systemd makes units for each TAP, as ",
                              NameSome(with_units), ": where there are up to ", number,
                              ", leases wait for that"),
                 absl::StrCat("printf '%s\\n' 'SUBSYSTEM==\"net\", KERNEL==\"sv*\", "
                              "ATTR{tun_flags}==\"0x5?02\", ATTR{ifalias}==\"|svnet*\", "
                              "TAG-=\"systemd\", RUN{builtin}=\"path_id\"' > /etc/udev/rules.d/",
                              kUdevRules, kTellUdev));
}

}  // namespace

Findings CheckUdev(const Observed& observed) {
  const UdevView view = ReadUdevView(observed);
  for (const auto& [file, taps] : view.by_file) {
    if (SetsMacs(observed.host, file)) return MacsAreInDanger(file, taps);
  }
  int64_t addresses = 0;
  for (const auto& network : observed.svnetd.networks) addresses += network.addresses().total();
  const int64_t number = std::max(static_cast<int64_t>(view.with_units.size()), addresses);
  if (!view.with_units.empty() && number >= kManyTaps && !HasUdevRules(observed.host)) {
    return TapsCostTooMuch(number, view.with_units);
  }
  return Ok("udev leaves svnet's TAPs alone");
}

}  // namespace svnet::client
