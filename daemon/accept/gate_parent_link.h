// svnetd's end of what it says to the parent of its gates.
#pragma once

#include <utility>

#include "daemon/accept/gate_maker.h"
#include "daemon/base/unique_fd.h"

namespace svnet {

// By GateRequests over a connected SOCK_SEQPACKET socket.
class GateParentLink final : public GateMaker {
 public:
  explicit GateParentLink(UniqueFd parent) : parent_(std::move(parent)) {}

  absl::Status Make(Role role, uint64_t number, Channel end) override;
  bool Kill(uint64_t number) override;

  // Readable only when the parent has ended.
  int fd() const { return parent_.fd(); }

 private:
  const Channel parent_;
};

}  // namespace svnet
