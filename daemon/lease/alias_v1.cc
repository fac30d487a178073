#include "daemon/lease/alias_v1.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/status_macros.h"
#include "daemon/lease/alias_fields.h"
#include "daemon/lease/lease_spec.h"

namespace svnet {
namespace {

std::string Format(const AliasV1& alias) {
  return absl::StrCat(kAliasV1Version, " bridge=", alias.bridge.text(), " vm=", alias.vm.text(),
                      " iface=", alias.iface.text(), " ip=", alias.ip.ToString(),
                      " mac=", alias.mac.ToString(), " queues=", alias.queues,
                      " lifetime=", FormatLifetime(alias.lifetime));
}

absl::StatusOr<int> TakeQueues(AliasFields& fields) {
  SVNET_ASSIGN_OR_RETURN(const absl::string_view text, fields.Take("queues"));
  int queues = 0;
  if (absl::SimpleAtoi(text, &queues) && queues >= 1 && queues <= kMaxQueues) return queues;
  return absl::InvalidArgumentError(absl::StrCat("queues is not 1 to ", kMaxQueues));
}

}  // namespace

absl::StatusOr<AliasV1> ParseAliasV1(absl::string_view text) {
  AliasFields fields(text);
  if (!fields.TakeWord(kAliasV1Version)) {
    return absl::InvalidArgumentError(absl::StrCat("it does not begin with ", kAliasV1Version));
  }
  SVNET_ASSIGN_OR_RETURN(const LinkName bridge, fields.TakeValue<LinkName>("bridge"));
  SVNET_ASSIGN_OR_RETURN(const VmId vm, fields.TakeValue<VmId>("vm"));
  SVNET_ASSIGN_OR_RETURN(const IfaceId iface, fields.TakeValue<IfaceId>("iface"));
  SVNET_ASSIGN_OR_RETURN(const Ipv4Address ip, fields.TakeValue<Ipv4Address>("ip"));
  SVNET_ASSIGN_OR_RETURN(const MacAddress mac, fields.TakeValue<MacAddress>("mac"));
  SVNET_ASSIGN_OR_RETURN(const int queues, TakeQueues(fields));
  SVNET_ASSIGN_OR_RETURN(const absl::string_view lifetime_text, fields.Take("lifetime"));
  SVNET_ASSIGN_OR_RETURN(const Lifetime lifetime, ParseLifetime(lifetime_text));
  const AliasV1 alias = {.bridge = bridge,
                         .vm = vm,
                         .iface = iface,
                         .ip = ip,
                         .mac = mac,
                         .queues = queues,
                         .lifetime = lifetime};
  // Whatever the steps above let pass ("queues=+1", something at the end) ends here.
  if (Format(alias) != text) return absl::InvalidArgumentError("it is not in the exact form");
  return alias;
}

bool IsAliasV1(absl::string_view text, const LinkName& bridge) {
  return absl::StartsWith(text, absl::StrCat(kAliasV1Version, " bridge=", bridge.text(), " "));
}

}  // namespace svnet
