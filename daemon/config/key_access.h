// How keys reach the part of the configuration that has them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "daemon/config/accounts.h"

namespace svnet {

// How to set, show and compare the value of a key in the part of the configuration that has it.
template <typename Part>
struct KeyAccess {
  absl::Status (*set)(Part*, absl::string_view, const Accounts&);
  std::string (*show)(const Part&);  // what `set` takes to set it again
  bool (*differs)(const Part&, const Part&);
};

template <typename Member>
struct MemberOwner;
template <typename Part, typename Value>
struct MemberOwner<Value Part::*> {
  using type = Part;
};
// The part that has that member.
template <auto kMember>
using PartWith = typename MemberOwner<decltype(kMember)>::type;

template <auto kMember>
std::string ShowText(const PartWith<kMember>& part) {
  return part.*kMember;
}

template <auto kMember>
std::string ShowCount(const PartWith<kMember>& part) {
  return absl::StrCat(part.*kMember);
}

template <auto kMember>
std::string ShowCountOrAuto(const PartWith<kMember>& part) {
  const std::optional<uint32_t>& count = part.*kMember;
  return count.has_value() ? absl::StrCat(*count) : "auto";
}

template <auto kMember, const auto& kWords>
std::string ShowWord(const PartWith<kMember>& part) {
  return std::string(kWords[static_cast<size_t>(part.*kMember)]);
}

template <auto kMember>
std::string ShowIdsOf(const PartWith<kMember>& part) {
  return absl::StrJoin(part.*kMember, ",");
}

template <auto kMember>
bool Differs(const PartWith<kMember>& one, const PartWith<kMember>& other) {
  return one.*kMember != other.*kMember;
}

}  // namespace svnet
