#include "daemon/lease/isolation.h"

namespace svnet {
namespace {

uint32_t ZoneOf(const Lease& lease, Isolation isolation) {
  switch (isolation) {
    case Isolation::kNone:
      return 0;
    case Isolation::kOwner:
      return lease.key.owner;
    case Isolation::kAll:
      return static_cast<uint32_t>(lease.ifindex);
  }
  return static_cast<uint32_t>(lease.ifindex);
}

}  // namespace

Binding BindingOf(const Lease& lease, Isolation isolation) {
  return {.ifindex = lease.ifindex,
          .mac = lease.mac,
          .ip = lease.ip,
          .zone = ZoneOf(lease, isolation),
          .owner = lease.key.owner};
}

}  // namespace svnet
