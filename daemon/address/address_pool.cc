#include "daemon/address/address_pool.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"

namespace svnet {

Ipv4Address GatewayOf(const Ipv4Prefix& prefix) {
  return Ipv4Address(prefix.network().value() + 1);
}

AddressPool::AddressPool(const Ipv4Prefix& prefix)
    : first_(prefix.network().value() + 2), size_(prefix.broadcast().value() - first_.value()) {}

std::optional<Ipv4Address> AddressPool::PickNext() const {
  const std::optional<Ipv4Address> unseen = NextUnseen();
  return unseen.has_value() ? unseen : LongestFreed();
}

absl::Status AddressPool::Check(Ipv4Address address) const {
  if (address < first_ || OffsetOf(address) >= size_) {
    return Error(Reason::kInvalidAddress,
                 absl::StrCat(address.ToString(), " is outside the guest range ", first_.ToString(),
                              " to ", Ipv4Address(first_.value() + size_ - 1).ToString()));
  }
  if (reserved_.contains(address)) {
    return Error(Reason::kAddressInUse,
                 absl::StrCat(address.ToString(), " is an address of the host"));
  }
  if (leased_.contains(address)) {
    return Error(Reason::kAddressInUse, absl::StrCat(address.ToString(), " is leased already"));
  }
  return absl::OkStatus();
}

absl::Status AddressPool::Take(Ipv4Address address) {
  SVNET_RETURN_IF_ERROR(Check(address));
  // An address that was asked for does not make the search skip those before it.
  if (NextUnseen() == address) cursor_ = OffsetOf(address) + 1;
  ForgetFreed(address);
  leased_.insert(address);
  return absl::OkStatus();
}

absl::Status AddressPool::Adopt(Ipv4Address address) {
  SVNET_RETURN_IF_ERROR(Take(address));
  cursor_ = std::max(cursor_, OffsetOf(address) + 1);
  return absl::OkStatus();
}

void AddressPool::Free(Ipv4Address address) {
  if (leased_.erase(address) == 0) return;
  freed_.emplace(frees_, address);
  freed_at_.emplace(address, frees_);
  ++frees_;
  if (freed_.size() > kMaxFreed) ForgetFreed(freed_.begin()->second);
}

void AddressPool::Reserve(Ipv4Address address) {
  if (!Check(address).ok()) return;
  ForgetFreed(address);
  reserved_.insert(address);
}

bool AddressPool::IsUnseen(Ipv4Address address) const {
  return !leased_.contains(address) && !reserved_.contains(address) && !freed_at_.contains(address);
}

std::optional<Ipv4Address> AddressPool::NextUnseen() const {
  if (leased_.size() + reserved_.size() + freed_.size() >= size_) return std::nullopt;
  for (uint32_t i = 0; i < size_; ++i) {
    const Ipv4Address candidate(first_.value() + (cursor_ + i) % size_);
    if (IsUnseen(candidate)) return candidate;
  }
  return std::nullopt;
}

std::optional<Ipv4Address> AddressPool::LongestFreed() const {
  if (freed_.empty()) return std::nullopt;
  return freed_.begin()->second;
}

void AddressPool::ForgetFreed(Ipv4Address address) {
  const auto at = freed_at_.find(address);
  if (at == freed_at_.end()) return;
  freed_.erase(at->second);
  freed_at_.erase(at);
}

}  // namespace svnet
