// A Watch's events, as messages.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "daemon/base/ipv4.h"
#include "daemon/network/watchers.h"
#include "daemon/rpc/message_source.h"

namespace svnet {

// Thread-safe.
class TapEvents final : public MessageSource {
 public:
  // `prefix_of`: of the network that a lease is on; in any thread.
  TapEvents(std::shared_ptr<Watch> watch, std::function<Ipv4Prefix(const Lease&)> prefix_of)
      : watch_(std::move(watch)), prefix_of_(std::move(prefix_of)) {}

  std::optional<absl::StatusOr<std::string>> Take() override;
  void Close() override { watch_->Close(); }

 private:
  const std::shared_ptr<Watch> watch_;
  const std::function<Ipv4Prefix(const Lease&)> prefix_of_;
};

}  // namespace svnet
