#include "daemon/base/tap_socket.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace svnet {

std::string TapSocketOf(absl::string_view socket) {
  absl::string_view folder = socket;
  if (absl::ConsumeSuffix(&folder, "/svnetd.sock")) return absl::StrCat(folder, "/tap.sock");
  return absl::StrCat(socket, ".tap");
}

}  // namespace svnet
