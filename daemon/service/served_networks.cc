#include "daemon/service/served_networks.h"

#include <spdlog/spdlog.h>

#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "daemon/config/served_config.h"

namespace svnet {
namespace {

// What each of them is called, up to the bridge's name.
std::string StatePrefix() {
  Config config;
  config.state_dir.reset();
  const std::string folder = StateDirOf(config);
  return folder.substr(0, folder.size() - config.default_network().bridge.text().size());
}

absl::StatusOr<Config> Parse(const absl::StatusOr<std::string>& text) {
  return text.ok() ? ParseServed(*text) : text.status();
}

}  // namespace

std::optional<Config> ReadServed(const FolderSpecStore& store) {
  absl::StatusOr<Config> served = Parse(store.ReadServed());
  if (served.ok()) return *std::move(served);
  if (!absl::IsNotFound(served.status())) {
    spdlog::warn("cannot read which networks the svnetd before this one served: {}",
                 std::string(served.status().message()));
  }
  return std::nullopt;
}

std::vector<Config> FindServedElsewhere(const Config& config) {
  std::vector<Config> found;
  if (config.state_dir.has_value()) return found;
  const std::string own = StateDirOf(config);
  const std::string prefix = StatePrefix();
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(prefix).parent_path(), error)) {
    const std::string folder = entry.path();
    if (folder == own || !absl::StartsWith(folder, prefix)) continue;
    // One that another svnetd uses, or that is not svnetd's, is none of ours.
    absl::StatusOr<Config> served = Parse(FolderSpecStore::ReadServedIn(folder));
    if (served.ok() && served->socket == config.socket) found.push_back(*std::move(served));
  }
  return found;
}

void WriteServed(const Config& config, FolderSpecStore* store) {
  const absl::Status written = store->WriteServed(FormatServed(config));
  if (written.ok()) return;
  spdlog::error(
      "cannot write down which networks svnetd serves, so that a later start could not tell that "
      "one has gone from the configuration: {}",
      std::string(written.message()));
}

}  // namespace svnet
