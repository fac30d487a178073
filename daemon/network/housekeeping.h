// The threads that do what nobody asked for.
#pragma once

#include <memory>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "daemon/base/unique_fd.h"
#include "daemon/network/coexistence.h"
#include "daemon/network/network_manager.h"

namespace svnet {

// One attends to what the kernel says and to leases that end, one destroys what is dying,
// one lives with other people's packet filters. They run as long as the object lives.
class Housekeeping {
 public:
  // Both must outlive it.
  static absl::StatusOr<std::unique_ptr<Housekeeping>> Start(NetworkManager* manager,
                                                             Coexistence* coexistence);
  // What is being done is finished first: that takes the kernel up to a second.
  ~Housekeeping();

 private:
  Housekeeping(NetworkManager* manager, Coexistence* coexistence, UniqueFd stop);

  void Attend();
  void Reap();
  void Coexist();
  bool StopsWithin(absl::Duration time) const;

  NetworkManager* const manager_;
  Coexistence* const coexistence_;
  const UniqueFd stop_;  // readable: they end
  std::thread attending_;
  std::thread reaping_;
  std::thread coexisting_;
};

}  // namespace svnet
