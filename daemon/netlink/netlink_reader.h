// Netlink messages as they are received. All pure. No length in a message is believed before
// it is compared with what is there: what is cut off reads as absent or zero.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <type_traits>

#include "absl/strings/string_view.h"

namespace svnet {

// The attributes of a message or a nest, by type. Those of a type above kMaxType are ignored;
// of two of one type the second counts. Valid as long as the bytes are.
class NetlinkAttributes {
 public:
  static constexpr int kMaxType = 127;

  explicit NetlinkAttributes(absl::string_view bytes);

  // nullopt: absent.
  std::optional<absl::string_view> Find(int type) const;
  // The attribute with its header and padding, as NetlinkMessage::Append takes it; empty: absent.
  absl::string_view FindWhole(int type) const;
  // None if the attribute is absent.
  NetlinkAttributes In(int type) const { return NetlinkAttributes(Find(type).value_or("")); }
  // In the machine's byte order. nullopt: absent, or shorter than Value.
  template <typename Value>
  std::optional<Value> Get(int type) const {
    static_assert(std::is_trivially_copyable_v<Value>);
    const std::optional<absl::string_view> bytes = Find(type);
    if (!bytes.has_value() || bytes->size() < sizeof(Value)) return std::nullopt;
    Value value;
    std::memcpy(&value, bytes->data(), sizeof(value));
    return value;
  }
  // Up to its NUL; empty: absent.
  std::string GetText(int type) const;

 private:
  size_t LengthOf(int type) const;

  std::array<const char*, kMaxType + 1> headers_ = {};
};

// The next of a row of attributes.
struct NetlinkAttribute {
  int type = 0;  // without NLA_F_NESTED and NLA_F_NET_BYTEORDER
  absl::string_view value;
};

// Takes the next attribute off `bytes`; nullopt at the end, and at what is not one.
std::optional<NetlinkAttribute> TakeAttribute(absl::string_view* bytes);

// One message. Valid as long as the bytes are.
class NetlinkReader {
 public:
  // Takes the next message off `bytes`; nullopt at the end, and at what is not one.
  static std::optional<NetlinkReader> Take(absl::string_view* bytes);

  int type() const { return type_; }
  int flags() const { return flags_; }
  uint32_t number() const { return number_; }
  uint32_t port() const { return port_; }

  // What follows the header.
  absl::string_view payload() const { return payload_; }

  // The start of the payload. Missing bytes are zero.
  template <typename Fixed>
  Fixed fixed() const {
    static_assert(std::is_trivially_copyable_v<Fixed>);
    Fixed value = {};
    std::memcpy(&value, payload_.data(), std::min(sizeof(value), payload_.size()));
    return value;
  }
  // What follows a fixed part of that type.
  template <typename Fixed>
  absl::string_view attribute_bytes() const {
    return Behind(sizeof(Fixed));
  }
  template <typename Fixed>
  NetlinkAttributes attributes() const {
    return NetlinkAttributes(attribute_bytes<Fixed>());
  }

 private:
  NetlinkReader() = default;

  absl::string_view Behind(size_t fixed_size) const;

  int type_ = 0;
  int flags_ = 0;
  uint32_t number_ = 0;
  uint32_t port_ = 0;
  absl::string_view payload_;
};

}  // namespace svnet
