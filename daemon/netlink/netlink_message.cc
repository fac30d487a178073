#include "daemon/netlink/netlink_message.h"

#include <linux/netlink.h>

#include <cstring>

namespace svnet {

void NetlinkMessage::Start(int type, int flags, absl::string_view fixed) {
  const nlmsghdr header = {.nlmsg_len = 0,  // Finish knows it
                           .nlmsg_type = static_cast<uint16_t>(type),
                           .nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags),
                           .nlmsg_seq = 0,
                           .nlmsg_pid = 0};
  bytes_.reserve(256);
  bytes_.append(reinterpret_cast<const char*>(&header), sizeof(header));
  bytes_.append(fixed.data(), fixed.size());
  Pad();
}

void NetlinkMessage::Pad() { bytes_.resize(NLMSG_ALIGN(bytes_.size())); }

void NetlinkMessage::PutHeader(int type, size_t value_size) {
  const nlattr header = {.nla_len = static_cast<uint16_t>(sizeof(nlattr) + value_size),
                         .nla_type = static_cast<uint16_t>(type)};
  bytes_.append(reinterpret_cast<const char*>(&header), sizeof(header));
}

void NetlinkMessage::PutText(int type, absl::string_view text) {
  PutHeader(type, text.size() + 1);
  bytes_.append(text.data(), text.size());
  bytes_.push_back('\0');
  Pad();
}

void NetlinkMessage::PutBytes(int type, absl::string_view value) {
  PutHeader(type, value.size());
  bytes_.append(value.data(), value.size());
  Pad();
}

void NetlinkMessage::Append(absl::string_view attributes) {
  bytes_.append(attributes.data(), attributes.size());
  Pad();
}

absl::string_view NetlinkMessage::Finish(uint32_t number, int flags) {
  nlmsghdr header;
  std::memcpy(&header, bytes_.data(), sizeof(header));
  header.nlmsg_len = static_cast<uint32_t>(bytes_.size());
  header.nlmsg_flags = static_cast<uint16_t>(header.nlmsg_flags | flags);
  header.nlmsg_seq = number;
  std::memcpy(bytes_.data(), &header, sizeof(header));
  return bytes_;
}

Nest::Nest(NetlinkMessage* message, int type) : message_(message), start_(message->bytes_.size()) {
  message_->PutHeader(type | NLA_F_NESTED, 0);
}

Nest::~Nest() {
  const auto length = static_cast<uint16_t>(message_->bytes_.size() - start_);
  std::memcpy(message_->bytes_.data() + start_, &length, sizeof(length));  // nla_len comes first
}

}  // namespace svnet
