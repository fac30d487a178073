#include "daemon/lease/tampering.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "daemon/lease/alias_v1.h"
#include "daemon/lease/names.h"

namespace svnet {
namespace {

template <typename Id>
std::string ChangedTo(absl::string_view what, absl::string_view kind, const std::optional<Id>& id) {
  return id.has_value() ? absl::StrCat("its ", what, " was changed to ", kind, " ", *id)
                        : absl::StrCat("its ", what, " was taken away");
}

// Whether it is known which MAC the TAP is to have.
bool IsMacKnown(const LeaseSpec& spec, const TapPlan& network) {
  return network.kind == NetworkKind::kBridge || spec.text_digest.empty() || spec.view.has_value();
}

}  // namespace

std::string DescribeTampering(const LeaseSpec& spec, const Link& link, const TapPlan& network) {
  std::vector<std::string> changes;
  if (link.owner != spec.key.owner) changes.push_back(ChangedTo("owner", "uid", link.owner));
  if (link.group_gid != spec.group) changes.push_back(ChangedTo("group", "gid", link.group_gid));
  if (!link.persistent) changes.push_back("it was made to end with its holder");
  if (!link.ethernet) changes.push_back("its link type was changed");
  // An earlier version left the MAC that the kernel gave; the repair that writes the alias
  // anew sets it.
  const bool is_of_earlier_version = absl::StartsWith(link.alias, kAliasV1Version);
  const bool is_other_mac = IsMacKnown(spec, network) && link.mac != TapMacOf(spec, network.mac);
  if (is_other_mac && !is_of_earlier_version) {
    changes.push_back(absl::StrCat("its own MAC was changed to ", link.mac.ToString()));
  }
  if (link.open_queues.value_or(0) > static_cast<uint32_t>(spec.queues)) {
    changes.push_back(
        absl::StrCat(*link.open_queues, " queues were opened, and ", spec.queues, " granted"));
  }
  return absl::StrJoin(changes, ", ");
}

std::string ByItsHolder(const std::string& what) {
  return absl::StrCat("the process that holds the TAP has changed it: ", what);
}

}  // namespace svnet
