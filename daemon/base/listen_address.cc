#include "daemon/base/listen_address.h"

#include <arpa/inet.h>

#include <cstdint>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace svnet {

absl::StatusOr<ListenAddress> ListenAddress::Parse(absl::string_view text) {
  const size_t colon = text.rfind(':');
  const std::string host(text.substr(0, colon));
  uint32_t port = 0;
  sockaddr_in address = {.sin_family = AF_INET};
  if (colon == absl::string_view::npos || !absl::SimpleAtoi(text.substr(colon + 1), &port) ||
      port == 0 || port > 65535 || inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1 ||
      ntohl(address.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", absl::CHexEscape(text.substr(0, 80)),
                     "\" is not an IPv4 loopback address with a port, like \"127.0.0.1:9464\"; for "
                     "access from other hosts use a proxy that authenticates"));
  }
  address.sin_port = htons(static_cast<uint16_t>(port));
  return ListenAddress(absl::StrCat(host, ":", port), address);
}

}  // namespace svnet
