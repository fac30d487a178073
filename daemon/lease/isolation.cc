#include "daemon/lease/isolation.h"

namespace svnet {
namespace {

uint32_t ZoneOf(const LeaseSpec& spec, Ifindex tap, Isolation isolation) {
  switch (isolation) {
    case Isolation::kNone:
      return 0;
    case Isolation::kOwner:
      return spec.key.owner;
    case Isolation::kAll:
      break;
  }
  return static_cast<uint32_t>(tap);
}

}  // namespace

Binding BindingOf(const LeaseSpec& spec, Ifindex tap, Isolation isolation) {
  return {.ifindex = tap,
          .mac = spec.mac,
          .ip = spec.ip,
          .zone = ZoneOf(spec, tap, isolation),
          .owner = spec.key.owner};
}

}  // namespace svnet
