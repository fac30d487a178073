#include "daemon/kernel/sysctl.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "daemon/base/status_macros.h"
#include "daemon/base/unique_fd.h"

namespace svnet {
namespace {

// The kernel resolves it in the network namespace of the calling thread.
constexpr char kIpForward[] = "/proc/sys/net/ipv4/ip_forward";

absl::Status Write(const std::string& path, char value) {
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.valid()) return absl::ErrnoToStatus(errno, path);
  if (write(file.get(), &value, 1) != 1) return absl::ErrnoToStatus(errno, path);
  return absl::OkStatus();
}

// Settings that are one digit.
absl::StatusOr<char> Read(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char value = 0;
  if (!file.valid()) return absl::ErrnoToStatus(errno, path);
  if (read(file.get(), &value, 1) != 1) return absl::ErrnoToStatus(errno, path);
  return value;
}

}  // namespace

absl::StatusOr<bool> IsIpv4Forwarding() {
  SVNET_ASSIGN_OR_RETURN(const char value, Read(kIpForward));
  return value == '1';
}

absl::Status EnableIpv4Forwarding() {
  SVNET_ASSIGN_OR_RETURN(const bool forwarding, IsIpv4Forwarding());
  return forwarding ? absl::OkStatus() : Write(kIpForward, '1');
}

absl::Status DisableIpv4Forwarding() {
  SVNET_ASSIGN_OR_RETURN(const bool forwarding, IsIpv4Forwarding());
  return forwarding ? Write(kIpForward, '0') : absl::OkStatus();
}

absl::StatusOr<bool> IsArpIgnored() {
  SVNET_ASSIGN_OR_RETURN(const char value, Read("/proc/sys/net/ipv4/conf/all/arp_ignore"));
  return value != '0';
}

absl::StatusOr<bool> DisableIpv6(const LinkName& link) {
  const std::string path = absl::StrCat("/proc/sys/net/ipv6/conf/", link.text(), "/disable_ipv6");
  const absl::StatusOr<char> value = Read(path);
  if (absl::IsNotFound(value.status()) || (value.ok() && *value == '1')) return false;
  SVNET_RETURN_IF_ERROR(Write(path, '1'));
  return true;
}

}  // namespace svnet
