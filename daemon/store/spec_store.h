// Where what a lease was granted is kept, if it does not fit into its TAP's alias.
#pragma once

#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/base/unique_fd.h"

namespace svnet {

// A folder with a file for each distinct text, named by its digest. An alias names the
// digest, so writing the text comes first, and setting the alias is what counts; texts that
// no alias names are deleted at the next start. The folder should be as short-lived as TAPs
// are: on a tmpfs. Not thread-safe.
class SpecStore {
 public:
  // Makes the folder if it does not exist; the folder above must. FailedPrecondition if
  // another process has the folder open as a SpecStore, or if another user than this process's
  // could write to it.
  static absl::StatusOr<SpecStore> Open(const std::string& folder);

  // Keeps `text`, and returns its digest. An error leaves nothing of it that Read finds.
  // ResourceExhausted if there is no room.
  absl::StatusOr<std::string> Write(absl::string_view text);

  // NotFound if there is no such text; DataLoss if what is there is not what was written.
  absl::StatusOr<std::string> Read(absl::string_view digest) const;

  // Deletes all texts but those. Other files are left alone.
  absl::Status DeleteAllBut(const std::set<std::string>& digests);

  // Bytes of a text. Longer ones are refused, by Write, and not read, by Read.
  static constexpr size_t kMaxSize = 1 << 20;

 private:
  explicit SpecStore(UniqueFd folder) : folder_(std::move(folder)) {}

  absl::Status WriteFile(const std::string& name, absl::string_view text);

  UniqueFd folder_;  // locked (flock(2)) as long as it is open
};

}  // namespace svnet
