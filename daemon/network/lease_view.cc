#include "daemon/network/lease_view.h"

#include <map>
#include <optional>
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

// At most one of them has it.
template <typename Key>
const Lease* FindIn(const std::vector<const LeaseTable*>& tables, const Key& key) {
  for (const LeaseTable* table : tables) {
    if (const Lease* lease = table->Find(key)) return lease;
  }
  return nullptr;
}

// The leases of several tables in the order of their TAPs' names.
class MergedLeases {
 public:
  MergedLeases(const std::vector<const LeaseTable*>& tables, const std::optional<LinkName>& after) {
    for (const LeaseTable* table : tables) {
      const auto& all = table->all();
      rests_.push_back({after.has_value() ? all.upper_bound(*after) : all.begin(), all.end()});
    }
  }
  // nullptr: there are no more.
  const Lease* Next() {
    Rest* first = nullptr;
    for (Rest& rest : rests_) {
      if (rest.next == rest.end) continue;
      if (first == nullptr || rest.next->first < first->next->first) first = &rest;
    }
    return first == nullptr ? nullptr : &(first->next++)->second;
  }

 private:
  struct Rest {
    std::map<LinkName, Lease>::const_iterator next;
    std::map<LinkName, Lease>::const_iterator end;
  };
  std::vector<Rest> rests_;
};

}  // namespace

absl::StatusOr<const Lease*> LeaseView::Find(const LeaseSelector& selector) const {
  if (const auto* ids = std::get_if<LeaseIds>(&selector)) {
    SVNET_ASSIGN_OR_RETURN(const LeaseKey key, authorizer_.KeyFor(*ids));
    return FindIn(leases_, key);
  }
  const Lease* lease = FindIn(leases_, std::get<LinkName>(selector));
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
  MergedLeases leases(leases_, request.after);
  while (const Lease* lease = leases.Next()) {
    const LeaseKey& key = lease->spec.key;
    if (!authorizer_.CanActFor(key.owner) || request.vm.value_or(key.vm) != key.vm) continue;
    if (page.leases.size() == request.limit) {
      page.more = true;
      break;
    }
    page.leases.push_back(*lease);
  }
  return page;
}

std::deque<TapEvent> LeaseView::Snapshot() const {
  std::deque<TapEvent> events;
  MergedLeases leases(leases_, std::nullopt);
  while (const Lease* lease = leases.Next()) {
    if (!authorizer_.CanActFor(lease->spec.key.owner)) continue;
    events.push_back({.type = TapEvent::Type::kAdded, .lease = *lease, .message = {}});
  }
  return events;
}

}  // namespace svnet
