#include "client/unix_socket.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <utility>
#include <variant>

#include "absl/strings/string_view.h"
#include "client/connect_failure.h"

namespace svnet::client {
namespace {

sockaddr_un AddressOf(absl::string_view path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  return address;
}

// Or an errno. A socket that does not block would not wait at all.
std::variant<UniqueFd, int> TryToConnect(const std::string& path, int type,
                                         absl::Duration timeout) {
  UniqueFd fd(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return errno;
  const timeval limit = absl::ToTimeval(timeout);
  if (setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0) return errno;
  const sockaddr_un address = AddressOf(path);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return errno;
  }
  return fd;
}

}  // namespace

Result<UniqueFd> ConnectTo(const std::string& path, int type, absl::Duration timeout) {
  std::variant<UniqueFd, int> connected = TryToConnect(path, type, timeout);
  if (const int* error = std::get_if<int>(&connected)) {
    return ExplainConnectFailure(path, *error, *error == EACCES ? ObserveBarrier(path) : Barrier{});
  }
  return std::move(std::get<UniqueFd>(connected));
}

}  // namespace svnet::client
