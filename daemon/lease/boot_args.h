// The `ip=` text for a guest's kernel command line.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/link_name.h"

namespace svnet {

// What a guest may be called: empty (it is not told), or
// [A-Za-z0-9][A-Za-z0-9.-]{0,63} (the kernel's limit is 64; RFC 1123 has no '_').
class HostName {
 public:
  HostName() = default;

  // INVALID_ID if it is anything else.
  static absl::StatusOr<HostName> Parse(absl::string_view text);

  const std::string& text() const { return text_; }

 private:
  explicit HostName(absl::string_view text) : text_(text) {}

  std::string text_;
};

struct BootArgs {
  Ipv4Address guest;
  Ipv4Address gateway;
  Ipv4Address netmask;
  HostName hostname;
  LinkName guest_interface;
  std::vector<Ipv4Address> dns_servers;  // at most two: the kernel takes no more
};

// ip=<guest>::<gateway>:<netmask>:<hostname>:<device>:off[:<dns0>[:<dns1>]]
// (Linux: Documentation/admin-guide/nfs/nfsroot.rst). Without a hostname and DNS
// servers exactly the text of the TypeScript NetworkManager. Pure.
std::string RenderBootArgs(const BootArgs& args);

}  // namespace svnet
