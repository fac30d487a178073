#include "daemon/netlink/netlink_reader.h"

#include <linux/netlink.h>

#include <algorithm>

namespace svnet {
namespace {

// What an attribute takes of `bytes`, without padding; 0: it is not one.
size_t AttributeLength(absl::string_view bytes, nlattr* header) {
  if (bytes.size() < sizeof(*header)) return 0;
  std::memcpy(header, bytes.data(), sizeof(*header));
  if (header->nla_len < sizeof(*header) || header->nla_len > bytes.size()) return 0;
  return header->nla_len;
}

void Skip(size_t length, absl::string_view* bytes) {
  bytes->remove_prefix(std::min<size_t>(NLMSG_ALIGN(length), bytes->size()));
}

}  // namespace

NetlinkAttributes::NetlinkAttributes(absl::string_view bytes) {
  nlattr header;
  while (const size_t length = AttributeLength(bytes, &header)) {
    const int type = header.nla_type & NLA_TYPE_MASK;
    if (type <= kMaxType) headers_[type] = bytes.data();
    Skip(length, &bytes);
  }
}

// The constructor has compared it with the bytes that there are.
size_t NetlinkAttributes::LengthOf(int type) const {
  uint16_t length;  // nla_len, the first of the header
  std::memcpy(&length, headers_[type], sizeof(length));
  return length;
}

std::optional<absl::string_view> NetlinkAttributes::Find(int type) const {
  if (headers_[type] == nullptr) return std::nullopt;
  return absl::string_view(headers_[type] + sizeof(nlattr), LengthOf(type) - sizeof(nlattr));
}

absl::string_view NetlinkAttributes::FindWhole(int type) const {
  if (headers_[type] == nullptr) return "";
  return {headers_[type], LengthOf(type)};
}

std::string NetlinkAttributes::GetText(int type) const {
  const absl::string_view text = Find(type).value_or("");
  return std::string(text.substr(0, text.find('\0')));
}

std::optional<NetlinkAttribute> TakeAttribute(absl::string_view* bytes) {
  nlattr header;
  const size_t length = AttributeLength(*bytes, &header);
  if (length == 0) return std::nullopt;
  const NetlinkAttribute attribute = {
      .type = header.nla_type & NLA_TYPE_MASK,
      .value = bytes->substr(sizeof(header), length - sizeof(header))};
  Skip(length, bytes);
  return attribute;
}

std::optional<NetlinkReader> NetlinkReader::Take(absl::string_view* bytes) {
  nlmsghdr header;
  if (bytes->size() < sizeof(header)) return std::nullopt;
  std::memcpy(&header, bytes->data(), sizeof(header));
  if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > bytes->size()) return std::nullopt;
  NetlinkReader message;
  message.type_ = header.nlmsg_type;
  message.flags_ = header.nlmsg_flags;
  message.number_ = header.nlmsg_seq;
  message.port_ = header.nlmsg_pid;
  message.payload_ = bytes->substr(sizeof(header), header.nlmsg_len - sizeof(header));
  Skip(header.nlmsg_len, bytes);
  return message;
}

absl::string_view NetlinkReader::Behind(size_t fixed_size) const {
  return payload_.substr(std::min<size_t>(NLMSG_ALIGN(fixed_size), payload_.size()));
}

}  // namespace svnet
