// What a guest believes of its interface, where its lease has something else.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/mac_address.h"

namespace svnet {

// As it stands in the snapshot that the guest was restored from. Any number of guests have the
// same.
struct GuestView {
  Ipv4Address address;
  int prefix_length = 32;  // 1 to 32
  Ipv4Address gateway;
  MacAddress mac;
  std::optional<MacAddress> gateway_mac = {};  // nullopt: the network's

  // "10.0.0.2/24,10.0.0.1,06:00:ac:10:00:02", and ",02:fc:00:00:00:09" if there is a gateway_mac.
  // InvalidArgument if it is anything else, or no view (CheckGuestView).
  static absl::StatusOr<GuestView> Parse(absl::string_view text);
  std::string ToString() const;

  friend bool operator==(const GuestView&, const GuestView&) = default;
};

// OK if a guest can have it: its addresses are hosts', its MACs are stations', and its gateway is
// another than itself. InvalidArgument says what is not so.
absl::Status CheckGuestView(const GuestView& view);

}  // namespace svnet
