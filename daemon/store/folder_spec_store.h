// A SpecStore on a file system.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "daemon/base/unique_fd.h"
#include "daemon/store/spec_store.h"

namespace svnet {

// A folder with a file for each text. It should be as short-lived as TAPs are: on a tmpfs.
class FolderSpecStore final : public SpecStore {
 public:
  // Makes the folder if it does not exist, and the one above it, but none above that.
  // FailedPrecondition if another process has the folder open as a SpecStore, if it is not a
  // folder, or if another user than this process's could write to it.
  static absl::StatusOr<std::unique_ptr<FolderSpecStore>> Open(const std::string& folder);

  absl::StatusOr<std::string> Write(absl::string_view text) override;
  absl::StatusOr<std::string> Read(absl::string_view digest) const override;
  absl::Status Delete(const std::string& digest) override;
  absl::Status DeleteAllBut(const std::set<std::string>& digests) override;

 private:
  explicit FolderSpecStore(UniqueFd folder) : folder_(std::move(folder)) {}

  absl::Status WriteFile(const std::string& name, absl::string_view text);
  absl::Status DeleteFile(const std::string& name);

  UniqueFd folder_;  // locked (flock(2)) as long as it is open
};

}  // namespace svnet
