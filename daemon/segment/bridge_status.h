// The state of a bridge segment, for people.
#pragma once

#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "daemon/base/condition.h"
#include "daemon/base/link_name.h"
#include "daemon/kernel/kernel.h"
#include "daemon/segment/segment.h"

namespace svnet {

// All but the MTU, from all links of the host.
SegmentStatus ObserveBridge(const LinkName& bridge, const std::vector<Link>& links);

// What is wrong with it. `named`: the link of its name. `in_use`: there are leases.
std::vector<Condition> ConditionsOf(const LinkName& bridge, const std::optional<Link>& named,
                                    bool in_use);

// Why EnsureBridge has changed it.
std::vector<absl::string_view> CausesOf(const Bridge& bridge, bool renamed);

// `error`: OpenTap::SwitchIpv6Off's.
Condition Ipv6NotOff(const absl::Status& error);

}  // namespace svnet
