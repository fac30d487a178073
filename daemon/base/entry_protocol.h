// Whose routes and neighbours are svnetd's.
#pragma once

#include <cstdint>

namespace svnet {

// rtm_protocol of routes to guests, and NDA_PROTOCOL of neighbours (`ip route show proto 115`):
// whatever has another is other programs'.
inline constexpr uint8_t kGuestEntryProtocol = 0x73;

}  // namespace svnet
