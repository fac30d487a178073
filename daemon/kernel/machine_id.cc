#include "daemon/kernel/machine_id.h"

#include <systemd/sd-id128.h>

#include <algorithm>
#include <iterator>

namespace svnet {
namespace {

// svnetd's own, of no meaning: `systemd-id128 new`.
constexpr sd_id128_t kApplication =
    SD_ID128_MAKE(5c, 1d, 8e, 0f, 3b, 7a, 4e, 96, 9b, 52, d0, 64, a1, 7f, e3, 28);

}  // namespace

std::array<uint8_t, 16> ReadMachineId() {
  std::array<uint8_t, 16> bytes = {};
  sd_id128_t id;
  if (sd_id128_get_machine_app_specific(kApplication, &id) == 0) {
    std::copy(std::begin(id.bytes), std::end(id.bytes), bytes.begin());
  }
  return bytes;
}

}  // namespace svnet
