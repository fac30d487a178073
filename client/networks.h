// `svnetctl networks`.
#pragma once

#include "client/connection.h"
#include "client/failure.h"
#include "client/list.h"

namespace svnet::client {

struct ListNetworks {
  ListFormat format = ListFormat::kTable;
};

// The networks that the caller may use.
Outcome Networks(Connection& svnetd, const ListNetworks& list);

}  // namespace svnet::client
