#include "daemon/firewall/nft_generations.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <cerrno>

#include "daemon/base/status_macros.h"

namespace svnet {

absl::StatusOr<std::unique_ptr<NftGenerations>> NftGenerations::Open(uint32_t own) {
  SVNET_ASSIGN_OR_RETURN(NftSocket socket, NftSocket::Open());
  SVNET_ASSIGN_OR_RETURN(NftSocket asking, NftSocket::Open());
  SVNET_ASSIGN_OR_RETURN(const uint32_t generation, socket.ReadGeneration());
  UniqueFd changed(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  UniqueFd stop(eventfd(0, EFD_CLOEXEC));
  if (!changed.valid() || !stop.valid()) return absl::ErrnoToStatus(errno, "eventfd");
  return std::unique_ptr<NftGenerations>(new NftGenerations({.socket = std::move(socket),
                                                             .asking = std::move(asking),
                                                             .changed = std::move(changed),
                                                             .stop = std::move(stop),
                                                             .generation = generation},
                                                            own));
}

NftGenerations::NftGenerations(Parts parts, uint32_t own)
    : socket_(std::move(parts.socket)),
      asking_(std::move(parts.asking)),
      changed_(std::move(parts.changed)),
      stop_(std::move(parts.stop)),
      others_(parts.generation - own),
      thread_([this, known = parts.generation] { Ask(known); }) {}

NftGenerations::~NftGenerations() {
  eventfd_write(stop_.get(), 1);
  thread_.join();
}

absl::StatusOr<RuleChanges> NftGenerations::Take(uint32_t own) {
  eventfd_t times = 0;
  if (eventfd_read(changed_.get(), &times) != 0) return RuleChanges{};
  SVNET_ASSIGN_OR_RETURN(const uint32_t generation, socket_.ReadGeneration());
  const bool changed = std::exchange(others_, generation - own) != generation - own;
  return RuleChanges{.watched = changed, .others = changed};
}

void NftGenerations::Ask(uint32_t known) {
  while (!StopsWithin(kInterval)) {
    const absl::StatusOr<uint32_t> generation = asking_.ReadGeneration();
    // Take says why it cannot be asked.
    if (generation.ok() && *generation == known) continue;
    known = generation.value_or(known);
    eventfd_write(changed_.get(), 1);
  }
}

bool NftGenerations::StopsWithin(absl::Duration time) const {
  pollfd wait = {.fd = stop_.get(), .events = POLLIN, .revents = 0};
  const timespec timeout = absl::ToTimespec(time);
  return ppoll(&wait, 1, &timeout, nullptr) > 0;
}

}  // namespace svnet
