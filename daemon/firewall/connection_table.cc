#include "daemon/firewall/connection_table.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/status_macros.h"
#include "daemon/base/unique_fd.h"

namespace svnet {
namespace {

absl::StatusOr<uint32_t> ReadNumber(const std::string& name) {
  const std::string path = absl::StrCat("/proc/sys/net/netfilter/", name);
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char text[32];
  const ssize_t size = file.valid() ? read(file.get(), text, sizeof(text)) : -1;
  if (size < 0) return absl::ErrnoToStatus(errno, path);
  uint32_t number = 0;
  if (!absl::SimpleAtoi(absl::string_view(text, size), &number)) {
    return absl::InternalError(absl::StrCat(path, " is not a number"));
  }
  return number;
}

}  // namespace

absl::StatusOr<ConnectionTable> ReadConnectionTable() {
  ConnectionTable table;
  SVNET_ASSIGN_OR_RETURN(table.used, ReadNumber("nf_conntrack_count"));
  SVNET_ASSIGN_OR_RETURN(table.size, ReadNumber("nf_conntrack_max"));
  return table;
}

}  // namespace svnet
