// The names that callers choose, checked.
#pragma once

#include <compare>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace svnet {

// A VM, in its supervisor's own terms: [A-Za-z0-9][A-Za-z0-9._-]{0,63}.
class VmId {
 public:
  // INVALID_ID if it is anything else.
  static absl::StatusOr<VmId> Parse(absl::string_view text);

  const std::string& text() const { return text_; }

  friend auto operator<=>(const VmId&, const VmId&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const VmId& id) {
    return H::combine(std::move(state), id.text_);
  }

 private:
  explicit VmId(absl::string_view text) : text_(text) {}

  std::string text_;
};

// A VM's network interface: [A-Za-z0-9][A-Za-z0-9._-]{0,31}.
class IfaceId {
 public:
  // INVALID_ID if it is anything else.
  static absl::StatusOr<IfaceId> Parse(absl::string_view text);

  const std::string& text() const { return text_; }

  friend auto operator<=>(const IfaceId&, const IfaceId&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const IfaceId& id) {
    return H::combine(std::move(state), id.text_);
  }

 private:
  explicit IfaceId(absl::string_view text) : text_(text) {}

  std::string text_;
};

}  // namespace svnet
