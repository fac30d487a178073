// A Watch's events, as messages.
#pragma once

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
  TapEvents(std::shared_ptr<Watch> watch, const Ipv4Prefix& prefix)
      : watch_(std::move(watch)), prefix_(prefix) {}

  std::optional<absl::StatusOr<std::string>> Take() override;
  void Close() override { watch_->Close(); }

 private:
  const std::shared_ptr<Watch> watch_;
  const Ipv4Prefix prefix_;
};

}  // namespace svnet
