#include "daemon/lease/boot_args.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"

namespace svnet {

absl::StatusOr<HostName> HostName::Parse(absl::string_view text) {
  constexpr size_t kMaxLength = 64;
  if (text.empty()) return HostName();
  if (!IsPlainName(text, kMaxLength) || text.find('_') != absl::string_view::npos) {
    return Error(
        Reason::kInvalidId,
        absl::StrCat("hostname \"", absl::CHexEscape(text.substr(0, kMaxLength)), "\" is not 1 to ",
                     kMaxLength, " of A-Z a-z 0-9 . -, the first a letter or digit"));
  }
  return HostName(text);
}

std::string RenderBootArgs(const BootArgs& args) {
  std::string text = absl::StrCat("ip=", args.guest.ToString(), "::", args.gateway.ToString(), ":",
                                  args.netmask.ToString(), ":", args.hostname.text(), ":",
                                  args.guest_interface.text(), ":off");
  for (const Ipv4Address& server : args.dns_servers) absl::StrAppend(&text, ":", server.ToString());
  return text;
}

}  // namespace svnet
