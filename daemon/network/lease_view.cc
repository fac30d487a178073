#include "daemon/network/lease_view.h"

#include <variant>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

absl::Status NoSuchTap(const LeaseSelector& selector) {
  if (const auto* name = std::get_if<LinkName>(&selector)) {
    return Error(Reason::kTapNotFound, absl::StrCat("there is no TAP ", name->text()));
  }
  const auto& ids = std::get<LeaseIds>(selector);
  return Error(Reason::kTapNotFound,
               absl::StrCat("there is no TAP for ", ids.vm.text(), " ", ids.iface.text()));
}

}  // namespace

absl::StatusOr<const Lease*> LeaseView::Find(const LeaseSelector& selector) const {
  if (const auto* ids = std::get_if<LeaseIds>(&selector)) {
    SVNET_ASSIGN_OR_RETURN(const LeaseKey key, authorizer_.KeyFor(*ids));
    return leases_.Find(key);
  }
  const Lease* lease = leases_.Find(std::get<LinkName>(selector));
  if (lease == nullptr || !authorizer_.CanActFor(lease->spec.key.owner)) return nullptr;
  return lease;
}

absl::StatusOr<const Lease*> LeaseView::Get(const LeaseSelector& selector) const {
  SVNET_ASSIGN_OR_RETURN(const Lease* lease, Find(selector));
  if (lease == nullptr) return NoSuchTap(selector);
  return lease;
}

LeasePage LeaseView::List(const ListRequest& request) const {
  LeasePage page;
  const auto& all = leases_.all();
  for (auto each = request.after.has_value() ? all.upper_bound(*request.after) : all.begin();
       each != all.end(); ++each) {
    const LeaseKey& key = each->second.spec.key;
    if (!authorizer_.CanActFor(key.owner) || request.vm.value_or(key.vm) != key.vm) continue;
    if (page.leases.size() == request.limit) {
      page.more = true;
      break;
    }
    page.leases.push_back(each->second);
  }
  return page;
}

std::deque<TapEvent> LeaseView::Snapshot() const {
  std::deque<TapEvent> events;
  for (const auto& [tap, lease] : leases_.all()) {
    if (!authorizer_.CanActFor(lease.spec.key.owner)) continue;
    events.push_back({.type = TapEvent::Type::kAdded, .lease = lease, .message = {}});
  }
  return events;
}

}  // namespace svnet
