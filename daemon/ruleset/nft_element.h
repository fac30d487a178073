// Elements of nftables' sets: one list of fields, as text for nft(8) and as the kernel's bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "daemon/base/ipv4.h"
#include "daemon/base/mac_address.h"

namespace svnet {

// A field of a key, or an element's data.
class NftField {
 public:
  static NftField Ifindex(int ifindex);
  static NftField Mark(uint32_t mark);
  static NftField Uid(uint32_t uid);
  // A packet's priority, which nft(8) writes as a class of tc(8): 1:86a0.
  static NftField ClassId(uint32_t id);
  static NftField Mac(const MacAddress& mac);
  static NftField Address(Ipv4Address address);

  void AppendText(std::string* out) const;
  // As the kernel's registers have it, from a multiple of four bytes to a multiple of four
  // (linux/netfilter/nf_tables.h).
  void AppendBytes(std::string* out) const;

 private:
  enum class Type { kNumber, kClassId, kMac, kAddress };
  NftField(Type type, uint64_t value) : type_(type), value_(value) {}

  Type type_;
  uint64_t value_;  // of a MAC, its octets as one number
};

// An element of a set, or of a map if it has data.
struct NftElement {
  // Of the table.
  enum class Family : uint8_t { kInet = 1, kArp = 3, kBridge = 7 };  // NFPROTO_...
  Family family = Family::kBridge;
  absl::string_view set;  // of static lifetime
  std::vector<NftField> key;
  std::vector<NftField> data;  // empty: none

  // "7 . 02:00:00:00:00:07", "7 : 5".
  std::string Text() const;
  std::string KeyBytes() const;
  std::string DataBytes() const;
};

}  // namespace svnet
