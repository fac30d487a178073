#include "daemon/base/network_name.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "daemon/base/error.h"

namespace svnet {

absl::StatusOr<NetworkName> NetworkName::Parse(absl::string_view text) {
  constexpr size_t kMaxLength = 15;
  const bool is_name = !text.empty() && text.size() <= kMaxLength &&
                       absl::ascii_islower(text.front()) &&
                       std::all_of(text.begin(), text.end(), [](char c) {
                         return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
                       });
  if (is_name) return NetworkName(text);
  return Error(Reason::kNetworkNotFound,
               "network: that is not a name of a network; ListNetworks lists them");
}

}  // namespace svnet
