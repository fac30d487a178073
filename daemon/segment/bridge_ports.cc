#include "daemon/segment/bridge_ports.h"

#include <algorithm>

namespace svnet {

void BridgePorts::Read(const std::vector<Link>& links, const LinkName& bridge) {
  ports_.clear();
  const auto found = std::find_if(links.begin(), links.end(),
                                  [&](const Link& link) { return link.name == bridge.text(); });
  if (found == links.end()) return;
  for (const Link& link : links) {
    if (link.master == found->ifindex) ports_.insert(link.ifindex);
  }
}

void BridgePorts::Note(const KernelChanges& changes, Ifindex bridge) {
  for (const Ifindex gone : changes.gone) ports_.erase(gone);
  if (bridge == 0) return;
  for (const auto& [ifindex, link] : changes.links) {
    if (link.master == bridge) {
      ports_.insert(ifindex);
    } else {
      ports_.erase(ifindex);
    }
  }
}

}  // namespace svnet
