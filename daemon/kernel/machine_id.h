// machine-id(5).
#pragma once

#include <array>
#include <cstdint>

namespace svnet {

// An id of this machine that is svnetd's alone (sd_id128_get_machine_app_specific(3)):
// the same as long as /etc/machine-id is. All zeros on a machine without one.
std::array<uint8_t, 16> ReadMachineId();

}  // namespace svnet
