// A host that is what a test says.
#pragma once

#include <sys/stat.h>

#include <map>
#include <string>
#include <vector>

#include "client/doctor/host.h"

namespace svnet::client {

// Files are a path and a text; their folders are there by themselves.
class FakeHost final : public Host {
 public:
  std::map<std::string, std::string> files;
  std::map<std::string, FileFacts> facts;  // of files without a text
  std::map<std::string, std::string> symlinks;
  std::map<std::string, absl::Status> unopenable;
  CallerFacts caller = {.user = "alice", .uid = 1000, .groups = {1000}};
  absl::StatusOr<pid_t> listener = 1;
  std::vector<gid_t> groups_in_database;
  std::vector<HostLink> links;
  std::vector<HostAddress> addresses;
  std::vector<HostRoute> routes;
  absl::StatusOr<std::vector<FilterChain>> nft = std::vector<FilterChain>();
  absl::StatusOr<std::vector<FilterChain>> legacy = std::vector<FilterChain>();

  absl::StatusOr<std::string> ReadFile(const std::string& path) const override {
    const auto file = files.find(path);
    if (file == files.end()) return absl::NotFoundError(path);
    return file->second;
  }
  std::vector<std::string> ListFolder(const std::string& path) const override {
    std::vector<std::string> names;
    for (const auto& [file, text] : files) {
      if (file.rfind(path, 0) == 0) names.push_back(file.substr(path.size()));
    }
    return names;
  }
  absl::StatusOr<FileFacts> Stat(const std::string& path) const override {
    if (files.count(path) > 0) return FileFacts{.mode = S_IFREG | 0644, .uid = 0, .gid = 0};
    const auto file = facts.find(path);
    if (file == facts.end()) return absl::NotFoundError(path);
    return file->second;
  }
  absl::StatusOr<std::string> ReadLink(const std::string& path) const override {
    const auto link = symlinks.find(path);
    if (link == symlinks.end()) return absl::NotFoundError(path);
    return link->second;
  }
  absl::Status TryOpen(const std::string& path) const override {
    const auto file = unopenable.find(path);
    return file == unopenable.end() ? absl::OkStatus() : file->second;
  }
  absl::StatusOr<pid_t> ListenerOf(const std::string&) const override { return listener; }
  CallerFacts Caller() const override { return caller; }
  bool IsMember(const std::string&, gid_t group) const override {
    for (gid_t each : groups_in_database) {
      if (each == group) return true;
    }
    return false;
  }
  std::string GroupName(gid_t) const override { return "svnet"; }
  absl::StatusOr<std::vector<HostLink>> Links() const override { return links; }
  absl::StatusOr<std::vector<HostAddress>> Addresses() const override { return addresses; }
  absl::StatusOr<std::vector<HostRoute>> Routes() const override { return routes; }
  absl::StatusOr<std::vector<FilterChain>> NftChains() const override { return nft; }
  absl::StatusOr<int64_t> NftCounter(const std::string&, const std::string&,
                                     const std::string&) const override {
    return absl::PermissionDeniedError("not here");
  }
  absl::StatusOr<std::vector<FilterChain>> LegacyChains() const override { return legacy; }
};

}  // namespace svnet::client
