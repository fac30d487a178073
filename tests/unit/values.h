// Values for tests, from text that is right.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "daemon/base/error.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/link_name.h"
#include "daemon/base/mac_address.h"
#include "daemon/lease/ids.h"
#include "daemon/lease/lease.h"

namespace svnet::testing {

inline Ipv4Address Ip(absl::string_view text) { return Ipv4Address::Parse(text).value(); }
inline Ipv4Prefix Prefix(absl::string_view text) { return Ipv4Prefix::Parse(text).value(); }
inline MacAddress Mac(absl::string_view text) { return MacAddress::Parse(text).value(); }
inline LinkName Name(absl::string_view text) { return LinkName::Parse(text).value(); }
inline VmId Vm(absl::string_view text) { return VmId::Parse(text).value(); }
inline IfaceId Iface(absl::string_view text) { return IfaceId::Parse(text).value(); }

// The contract's name for it; "OK", or "none" if it has none.
inline std::string ReasonIn(const absl::Status& status) {
  if (status.ok()) return "OK";
  const std::optional<Reason> reason = ReasonOf(status);
  return reason.has_value() ? std::string(ReasonName(*reason)) : "none";
}

}  // namespace svnet::testing
