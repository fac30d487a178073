// A SpecStore on a file system.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "daemon/base/unique_fd.h"
#include "daemon/store/spec_store.h"

namespace svnet {

// A folder with a file for each text, and one that says what svnetd serves. It should be as
// short-lived as TAPs are: on a tmpfs.
class FolderSpecStore final : public SpecStore {
 public:
  // Makes the folder if it does not exist, and the one above it, but none above that.
  // FailedPrecondition if another process has the folder open as a SpecStore, if it is not a
  // folder, or if another user than this process's could write to it.
  static absl::StatusOr<std::unique_ptr<FolderSpecStore>> Open(const std::string& folder);

  // What svnetd serves, for the next one. An error leaves what was there.
  absl::Status WriteServed(absl::string_view text);
  // NotFound if there is nothing.
  absl::StatusOr<std::string> ReadServed() const;
  // The same of a folder that is not open here. FailedPrecondition if another process has it open,
  // or if another user could have written to it.
  static absl::StatusOr<std::string> ReadServedIn(const std::string& folder);

  absl::StatusOr<std::string> Write(absl::string_view text) override;
  absl::StatusOr<std::string> Read(absl::string_view digest) const override;
  absl::Status Delete(const std::string& digest) override;
  absl::Status DeleteAllBut(const std::set<std::string>& digests) override;

 private:
  explicit FolderSpecStore(UniqueFd folder) : folder_(std::move(folder)) {}

  // Under another name first, so that a reader finds all of it or nothing. `what`: whose fault
  // points it has.
  absl::Status Replace(const std::string& name, absl::string_view text, absl::string_view what);
  absl::Status WriteFile(const std::string& name, absl::string_view text, absl::string_view what);
  absl::Status DeleteFile(const std::string& name);

  UniqueFd folder_;  // locked (flock(2)) as long as it is open
};

}  // namespace svnet
