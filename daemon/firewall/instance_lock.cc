#include "daemon/firewall/instance_lock.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

// Never the name of a table with rules (TableName), whatever the bridges are called.
std::string LockName(const LinkName& bridge) { return absl::StrCat("svnetd-lock-", bridge.text()); }

}  // namespace

absl::StatusOr<std::optional<NftSocket>> LockInstance(const LinkName& bridge) {
  SVNET_ASSIGN_OR_RETURN(NftSocket socket, NftSocket::Open());
  // Without CAP_NET_ADMIN this fails already, so that below PermissionDenied has one meaning.
  if (const absl::Status may = socket.ReadGeneration().status(); !may.ok()) {
    return WithContext(
        absl::StrCat("the lock of bridge ", bridge.text(), " (it takes CAP_NET_ADMIN)"), may);
  }
  const absl::Status status = socket.AddOwnedTable(LockName(bridge));
  if (status.ok()) return std::make_optional(std::move(socket));
  if (absl::IsInvalidArgument(status) || absl::IsUnimplemented(status)) return std::nullopt;
  if (!absl::IsPermissionDenied(status)) return status;
  return absl::AlreadyExistsError(
      absl::StrCat("another svnetd has bridge ", bridge.text(),
                   " in this network namespace: set another `bridge`, or stop that one"));
}

}  // namespace svnet
