#include "daemon/lease/names.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace svnet {
namespace {

// FNV-1a. Not std::hash or absl::Hash: those differ from build to build, or from run
// to run, and these names must not.
uint64_t StableHash(absl::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : text) {
    hash ^= static_cast<uint8_t>(c);
    hash *= 0x100000001b3;
  }
  return hash;
}

// 13 characters hold 65 bits.
std::string Base32(uint64_t value) {
  constexpr absl::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
  std::string text(13, ' ');
  for (char& c : text) {
    c = kAlphabet[value & 31];
    value >>= 5;
  }
  return text;
}

// A name made of checked parts is a name.
LinkName MakeName(absl::string_view text) { return LinkName::Parse(text).value(); }

// The hash of the TypeScript NetworkManager: (h << 5) - h + c on 32 bits, then Math.abs.
uint32_t JavaScriptHash(absl::string_view text) {
  uint32_t hash = 0;
  for (char c : text) hash = hash * 31 + static_cast<uint8_t>(c);
  return static_cast<int32_t>(hash) < 0 ? -hash : hash;
}

}  // namespace

LinkName PreferredTapName(const VmId& vm, const IfaceId& iface) {
  std::string vm_part = vm.text();
  vm_part.erase(std::remove(vm_part.begin(), vm_part.end(), '-'), vm_part.end());
  return MakeName(absl::StrCat("sv", vm_part.substr(0, 4), iface.text().substr(0, 6)));
}

LinkName HashedTapName(const LeaseKey& key, int attempt) {
  // Ids hold no '/', so no two keys make the same text.
  return MakeName(
      absl::StrCat("sv", Base32(StableHash(absl::StrCat(key.owner, "/", key.vm.text(), "/",
                                                        key.iface.text(), "/", attempt)))));
}

MacAddress DeriveGuestMac(const VmId& vm, const IfaceId& iface, int attempt) {
  std::string text = absl::StrCat(vm.text(), ":", iface.text());
  if (attempt > 0) absl::StrAppend(&text, "#", attempt);
  const uint32_t h = JavaScriptHash(text);
  const auto octet = [](uint32_t value) { return static_cast<uint8_t>(value); };
  return MacAddress(
      {0x02, octet(h), octet(h >> 8), octet(h >> 16), octet(h >> 24), octet((h >> 4) ^ (h >> 12))});
}

MacAddress DeriveBridgeMac(const MachineId& machine, const LinkName& bridge) {
  const std::string text =
      absl::StrCat(absl::string_view(reinterpret_cast<const char*>(machine.data()), machine.size()),
                   "bridge ", bridge.text());
  const uint64_t h = StableHash(text);
  const auto octet = [h](int shift) { return static_cast<uint8_t>(h >> shift); };
  // Locally administered, unicast, and not 02: that is what guests' MACs begin with.
  return MacAddress({0xc2, octet(0), octet(8), octet(16), octet(24), octet(32)});
}

uint32_t DeriveLinkGroup(const LinkName& bridge) {
  // 31 bits, because ip(8) reads a group as a signed number.
  const auto hash = static_cast<uint32_t>(StableHash(absl::StrCat("group ", bridge.text())));
  return std::max<uint32_t>(hash & 0x7ffffffe, 2);
}

uint32_t DeriveRoutedGroup(const LinkName& bridge) {
  const auto hash = static_cast<uint32_t>(StableHash(absl::StrCat("group ", bridge.text())));
  return (0x4000 | (hash & 0x3fff)) << 16;
}

LinkName RetiredTapName(Ifindex tap, int attempt) {
  return MakeName(attempt == 0 ? absl::StrCat("sv-", tap) : absl::StrCat("sv-", tap, ".", attempt));
}

}  // namespace svnet
