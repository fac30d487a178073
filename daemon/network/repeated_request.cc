#include "daemon/network/repeated_request.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/spec_digest.h"

namespace svnet {

absl::Status CheckRepeated(const LeaseSpec& spec, const TapRequest& request) {
  const auto conflict = [&](absl::string_view has, absl::string_view wants) {
    return Error(
        Reason::kLeaseConflict,
        absl::StrCat("the lease of ", spec.key.vm.text(), " ", spec.key.iface.text(), " has ", has,
                     " and not ", wants, ": remove it first, or ask for what it is"));
  };
  if (request.network.value_or(spec.network) != spec.network) {
    return conflict(absl::StrCat("network ", spec.network.text()), request.network->text());
  }
  if (request.ip.value_or(spec.ip) != spec.ip) {
    return conflict(spec.ip.ToString(), request.ip->ToString());
  }
  if (request.mac.value_or(spec.mac) != spec.mac) {
    return conflict(spec.mac.ToString(), request.mac->ToString());
  }
  if (request.queues != spec.queues) {
    return conflict(absl::StrCat(spec.queues, " queues"), absl::StrCat(request.queues));
  }
  const auto group = [](const std::optional<gid_t>& gid) {
    return gid.has_value() ? absl::StrCat("group ", *gid) : std::string("no group");
  };
  if (request.group != spec.group) return conflict(group(spec.group), group(request.group));
  if (request.lifetime != spec.lifetime) {
    return conflict(absl::StrCat("lifetime ", FormatLifetime(spec.lifetime)),
                    FormatLifetime(request.lifetime));
  }
  if (!request.spec_text.empty() && SpecDigest(request.spec_text) != spec.text_digest) {
    return conflict(spec.view.has_value() ? absl::StrCat("guest_view ", spec.view->ToString())
                                          : std::string("no such guest_view"),
                    "that one");
  }
  return absl::OkStatus();
}

}  // namespace svnet
