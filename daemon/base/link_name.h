// The name of a network link, checked.
#pragma once

#include <compare>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace svnet {

// Stricter than the kernel (net/core/dev.c, dev_valid_name), which would also take
// control characters, quotes and "%d", and expands the last.
class LinkName {
 public:
  static constexpr size_t kMaxLength = 15;  // IFNAMSIZ less the final NUL

  // [A-Za-z0-9][A-Za-z0-9._-]{0,14}. InvalidArgument otherwise.
  static absl::StatusOr<LinkName> Parse(absl::string_view text);

  const std::string& text() const { return text_; }

  friend auto operator<=>(const LinkName&, const LinkName&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const LinkName& name) {
    return H::combine(std::move(state), name.text_);
  }

 private:
  explicit LinkName(absl::string_view text) : text_(text) {}

  std::string text_;
};

// True for [A-Za-z0-9][A-Za-z0-9._-]{0,max_length - 1}, the one form that all
// names in svnet have: no byte of it means anything to a shell, a path, the
// kernel, nftables or a log.
bool IsPlainName(absl::string_view text, size_t max_length);

}  // namespace svnet
