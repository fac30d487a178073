// Which guests reach each other, and what each may send.
#pragma once

#include "daemon/firewall/firewall.h"
#include "daemon/lease/lease.h"

namespace svnet {

enum class Isolation {
  kNone,   // all guests reach each other
  kOwner,  // those of one owner
  kAll,    // nobody anybody
};

// What a lease is for the firewall. Pure.
Binding BindingOf(const Lease& lease, Isolation isolation);

}  // namespace svnet
