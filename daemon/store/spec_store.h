// Where what a lease was granted is kept, if it does not fit into its TAP's alias.
#pragma once

#include <cstddef>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace svnet {

// Texts, each named by its digest (spec_digest.h). An alias names the digest, so writing the text
// comes first, and setting the alias is what counts. Not thread-safe.
class SpecStore {
 public:
  // Bytes of a text. Longer ones are refused, by Write, and not read, by Read.
  static constexpr size_t kMaxSize = 1 << 20;

  virtual ~SpecStore() = default;

  // Keeps `text`, and returns its digest. One that is kept already, whole, is not written again.
  // An error leaves nothing of it that Read finds. ResourceExhausted if there is no room.
  virtual absl::StatusOr<std::string> Write(absl::string_view text) = 0;
  // NotFound if there is no such text; DataLoss if what is there is not what was written.
  virtual absl::StatusOr<std::string> Read(absl::string_view digest) const = 0;
  // OK if there is no such text.
  virtual absl::Status Delete(const std::string& digest) = 0;
  // Deletes all texts but those. What was not made by Write is left alone.
  virtual absl::Status DeleteAllBut(const std::set<std::string>& digests) = 0;
};

}  // namespace svnet
