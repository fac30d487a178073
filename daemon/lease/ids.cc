#include "daemon/lease/ids.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/link_name.h"

namespace svnet {
namespace {

absl::Status NotAnId(absl::string_view field, absl::string_view text, size_t max_length) {
  if (text.empty()) return Error(Reason::kInvalidId, absl::StrCat(field, " must be set"));
  return Error(Reason::kInvalidId,
               absl::StrCat(field, " \"", absl::CHexEscape(text.substr(0, max_length)),
                            text.size() > max_length ? "..." : "", "\" is not 1 to ", max_length,
                            " of A-Z a-z 0-9 . _ -, the first a letter or digit"));
}

}  // namespace

absl::StatusOr<VmId> VmId::Parse(absl::string_view text) {
  constexpr size_t kMaxLength = 64;
  if (!IsPlainName(text, kMaxLength)) return NotAnId("vm_id", text, kMaxLength);
  return VmId(text);
}

absl::StatusOr<IfaceId> IfaceId::Parse(absl::string_view text) {
  constexpr size_t kMaxLength = 32;
  if (!IsPlainName(text, kMaxLength)) return NotAnId("iface_id", text, kMaxLength);
  return IfaceId(text);
}

}  // namespace svnet
