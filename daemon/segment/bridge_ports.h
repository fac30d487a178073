// Which links are ports of a bridge.
#pragma once

#include <cstddef>
#include <set>
#include <vector>

#include "daemon/base/ifindex.h"
#include "daemon/base/link_name.h"
#include "daemon/kernel/kernel.h"

namespace svnet {

// All of them, foreign ones too: the kernel's limit counts them all. Not thread-safe.
class BridgePorts {
 public:
  // All links of the host.
  void Read(const std::vector<Link>& links, const LinkName& bridge);
  // What the kernel has said of changes. `bridge` 0: there is none.
  void Note(const KernelChanges& changes, Ifindex bridge);
  void Insert(Ifindex port) { ports_.insert(port); }
  void Erase(Ifindex port) { ports_.erase(port); }
  void Clear() { ports_.clear(); }

  size_t size() const { return ports_.size(); }

 private:
  std::set<Ifindex> ports_;
};

}  // namespace svnet
