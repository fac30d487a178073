// The text in the store that says what a lease was granted beyond what its alias says.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/base/guest_view.h"

namespace svnet {

// The first line of each text.
inline constexpr absl::string_view kSpecTextVersion = "svnet-spec 1";

struct LeaseGrants {
  std::optional<GuestView> view = {};

  friend bool operator==(const LeaseGrants&, const LeaseGrants&) = default;
};

// Lines, each with a newline at its end: kSpecTextVersion, then one for each thing that was
// granted, which begins with a word for it: "view " and GuestView::ToString. The same grants have
// the same text. Empty if nothing was granted.
std::string FormatSpecText(const LeaseGrants& grants);

// What such a text says; lines that begin with "#" are for people. InvalidArgument says what this
// svnetd does not know: a guest whose limits are not known must not be let through. Pure.
absl::StatusOr<LeaseGrants> ParseSpecText(absl::string_view text);

}  // namespace svnet
