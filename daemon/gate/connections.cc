#include "daemon/gate/connections.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace svnet {

void Connections::Add(int fd, Connection connection) {
  auto added = std::make_shared<const Connection>(std::move(connection));
  MutexLock lock(&mutex_);
  by_peer_[absl::StrCat("fd:", fd)] = std::move(added);
}

std::shared_ptr<const Connections::Connection> Connections::Find(const std::string& peer) const {
  MutexLock lock(&mutex_);
  const auto found = by_peer_.find(peer);
  return found == by_peer_.end() ? nullptr : found->second;
}

}  // namespace svnet
