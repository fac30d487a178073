// What a guest believes, where its lease has something else (GuestView of the contract).
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "svnet/v1/network.pb.h"

namespace svnet::client {

// "10.0.0.2/24,10.0.0.1,06:00:ac:10:00:02", and ",MAC" for the gateway's. InvalidArgument says what
// is wrong.
absl::StatusOr<v1::GuestView> ParseGuestView(const std::string& text);
std::string FormatGuestView(const v1::GuestView& view);

// The lease with the addresses that its guest has and knows.
v1::Tap AsItsGuestKnowsIt(const v1::Tap& tap);

}  // namespace svnet::client
