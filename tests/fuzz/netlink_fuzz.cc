// What a datagram from the kernel could hold: nothing in it makes a parser read outside of it.
#include <cstddef>
#include <cstdint>
#include <string>

#include "daemon/kernel/link_monitor.h"
#include "daemon/kernel/route_messages.h"

using namespace svnet;  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string copy(reinterpret_cast<const char*>(data), size);  // its end is guarded
  absl::string_view messages = copy;
  KernelChanges changes;
  while (const std::optional<NetlinkReader> message = NetlinkReader::Take(&messages)) {
    AddChange(*message, &changes);
    ParseLink(*message);
    ParseAddress(*message);
    ParseAddressProtocol(*message);
    ParseRoute(*message);
    ParsePermanentNeighbour(*message, 0x73);
    ParsePortPinned(*message);
    IsForwardingChange(*message);
  }
  absl::string_view attributes = copy;
  while (TakeAttribute(&attributes).has_value()) {
  }
  return 0;
}
