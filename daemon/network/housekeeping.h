// The threads that do what nobody asked for.
#pragma once

#include <memory>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "daemon/base/unique_fd.h"
#include "daemon/network/network_manager.h"

namespace svnet {

// One attends to what the kernel says and to leases that end; the other destroys what is
// dying. Both run as long as the object lives.
class Housekeeping {
 public:
  // `manager` must outlive it.
  static absl::StatusOr<std::unique_ptr<Housekeeping>> Start(NetworkManager* manager);
  // What is being done is finished first: that takes the kernel up to a second.
  ~Housekeeping();

 private:
  Housekeeping(NetworkManager* manager, UniqueFd stop);

  void Attend();
  void Reap();
  bool StopsWithin(absl::Duration time) const;

  NetworkManager* const manager_;
  const UniqueFd stop_;  // readable: they end
  std::thread attending_;
  std::thread reaping_;
};

}  // namespace svnet
