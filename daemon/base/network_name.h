// The name of a network.
#pragma once

#include <compare>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace svnet {

// A network of this host: [a-z][a-z0-9-]{0,14}.
class NetworkName {
 public:
  // The one that requests mean that name none.
  static constexpr absl::string_view kDefault = "default";
  NetworkName() : text_(kDefault) {}
  // NETWORK_NOT_FOUND if it is anything else.
  static absl::StatusOr<NetworkName> Parse(absl::string_view text);

  const std::string& text() const { return text_; }

  friend auto operator<=>(const NetworkName&, const NetworkName&) = default;

 private:
  explicit NetworkName(absl::string_view text) : text_(text) {}

  std::string text_;
};

}  // namespace svnet
