// The name of a text in the store of specs.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace svnet {

// The first 90 bits of the text's SHA-256 (FIPS 180-4), as 15 characters of base64url (RFC 4648,
// section 5). Pure.
std::string SpecDigest(absl::string_view text);

// Whether a text can be one that SpecDigest returns. Pure.
bool IsSpecDigest(absl::string_view text);

}  // namespace svnet
