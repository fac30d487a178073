// Netlink requests, built in memory (netlink(7), linux/netlink.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#include "absl/strings/string_view.h"

namespace svnet {

// A request: a header, a fixed part (ifinfomsg, nfgenmsg and the like), attributes.
class NetlinkMessage {
 public:
  // `type`: RTM_... and the like. `flags`: besides NLM_F_REQUEST.
  template <typename Fixed>
  NetlinkMessage(int type, int flags, const Fixed& fixed) {
    static_assert(std::is_trivially_copyable_v<Fixed>);
    Start(type, flags, {reinterpret_cast<const char*>(&fixed), sizeof(fixed)});
  }

  // The value's bytes, in the machine's order.
  template <typename Value>
  void Put(int type, const Value& value) {
    static_assert(std::is_trivially_copyable_v<Value>);
    PutBytes(type, {reinterpret_cast<const char*>(&value), sizeof(value)});
  }
  // With the NUL that the kernel wants behind a text.
  void PutText(int type, absl::string_view text);
  void PutBytes(int type, absl::string_view value);
  // Whole attributes, padded, as a NetlinkReader shows them.
  void Append(absl::string_view attributes);

  // The message as it is sent. `flags` are added to those that it has.
  absl::string_view Finish(uint32_t number, int flags);

 private:
  friend class Nest;

  void Start(int type, int flags, absl::string_view fixed);
  void Pad();
  // Adds the header of an attribute whose value has that many bytes.
  void PutHeader(int type, size_t value_size);

  std::string bytes_;
};

// A nested attribute, open as long as the object lives: no longer than the message, and not
// while the message is moved or sent.
class Nest {
 public:
  Nest(NetlinkMessage* message, int type);
  ~Nest();
  Nest(const Nest&) = delete;
  Nest& operator=(const Nest&) = delete;

 private:
  NetlinkMessage* message_;
  size_t start_;
};

}  // namespace svnet
