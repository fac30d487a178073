#include "daemon/network/prefix_conflict.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "daemon/address/host_network.h"
#include "daemon/base/status_macros.h"

namespace svnet {

void PrefixConflict::Note(const KernelChanges& changes) {
  if (changes.lost || changes.routes || !changes.addresses.empty()) dirty_ = true;
}

absl::Status PrefixConflict::Look(const std::vector<Link>& links) {
  if (!dirty_) return absl::OkStatus();
  HostNetwork host = {.links = links, .addresses = {}, .routes = {}};
  SVNET_ASSIGN_OR_RETURN(host.addresses, kernel_->ListAddresses());
  SVNET_ASSIGN_OR_RETURN(host.routes, kernel_->ListRoutes());
  const auto bridge = std::find_if(links.begin(), links.end(), [&](const Link& link) {
    return link.name == settings_.bridge.text();
  });
  conflict_ = FindConflict(host, settings_.prefix, bridge == links.end() ? 0 : bridge->ifindex);
  dirty_ = false;
  return absl::OkStatus();
}

void PrefixConflict::AddConditions(std::vector<Condition>* conditions) const {
  if (!conflict_.has_value()) return;
  conditions->push_back(
      {.type = "SUBNET_CONFLICT",
       .message = absl::StrCat("subnet ", settings_.prefix.ToString(), " overlaps ", *conflict_),
       .remedy = "set another `subnet`, or remove that"});
}

}  // namespace svnet
