// The host that svnetctl runs on.
#pragma once

#include "client/doctor/host.h"

namespace svnet::client {

// Not thread-safe: asks the account database.
class LiveHost final : public Host {
 public:
  absl::StatusOr<std::string> ReadFile(const std::string& path) const override;
  std::vector<std::string> ListFolder(const std::string& path) const override;
  absl::StatusOr<FileFacts> Stat(const std::string& path) const override;
  absl::StatusOr<std::string> ReadLink(const std::string& path) const override;
  absl::Status TryOpen(const std::string& path) const override;
  absl::StatusOr<pid_t> ListenerOf(const std::string& socket) const override;
  CallerFacts Caller() const override;
  bool IsMember(const std::string& user, gid_t group) const override;
  std::string GroupName(gid_t group) const override;
  absl::StatusOr<std::vector<HostLink>> Links() const override;
  absl::StatusOr<std::vector<HostAddress>> Addresses() const override;
  absl::StatusOr<std::vector<HostRoute>> Routes() const override;
  absl::StatusOr<std::vector<FilterChain>> NftChains() const override;
  absl::StatusOr<int64_t> NftCounter(const std::string& family, const std::string& table,
                                     const std::string& name) const override;
  absl::StatusOr<std::vector<FilterChain>> LegacyChains() const override;
};

}  // namespace svnet::client
