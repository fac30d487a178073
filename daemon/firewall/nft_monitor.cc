#include "daemon/firewall/nft_monitor.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace svnet {
namespace {

constexpr int kReceiveBuffer = 16 << 20;  // bytes; the elements of 1,000 guests are 1 MiB

// The first attribute of a message, if it is of that type.
absl::string_view FirstAttribute(absl::string_view message, int type) {
  nlattr attribute;
  const size_t start = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(nfgenmsg));
  if (message.size() < start + sizeof(attribute)) return "";
  std::memcpy(&attribute, message.data() + start, sizeof(attribute));
  if ((attribute.nla_type & NLA_TYPE_MASK) != type || attribute.nla_len < sizeof(attribute)) {
    return "";
  }
  return message.substr(start + sizeof(attribute), attribute.nla_len - sizeof(attribute));
}

// In all messages on what is in a table its name comes first (NFTA_TABLE_NAME,
// NFTA_CHAIN_TABLE and so on are all 1), with its NUL.
bool IsOfTable(absl::string_view message, const std::string& table) {
  nfgenmsg family;
  if (message.size() < NLMSG_HDRLEN + sizeof(family)) return false;
  std::memcpy(&family, message.data() + NLMSG_HDRLEN, sizeof(family));
  const bool watched = family.nfgen_family == NFPROTO_INET ||
                       family.nfgen_family == NFPROTO_BRIDGE || family.nfgen_family == NFPROTO_ARP;
  return watched && FirstAttribute(message, NFTA_TABLE_NAME) ==
                        absl::string_view(table.c_str(), table.size() + 1);
}

uint32_t GenerationOf(absl::string_view message) {
  const absl::string_view value = FirstAttribute(message, NFTA_GEN_ID);
  uint32_t generation = 0;
  if (value.size() == sizeof(generation)) {
    std::memcpy(&generation, value.data(), sizeof(generation));
  }
  return ntohl(generation);
}

}  // namespace

absl::StatusOr<NftMonitor> NftMonitor::Open(std::string table) {
  UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER));
  const sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_pad = 0, .nl_pid = 0, .nl_groups = 0};
  const int group = NFNLGRP_NFTABLES;
  if (!fd.valid() ||
      bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) != 0) {
    return absl::ErrnoToStatus(errno, "nftables monitor (it takes CAP_NET_ADMIN)");
  }
  // As large as may be; if it is too small after all, the kernel says that it was.
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof(kReceiveBuffer));
  return NftMonitor(std::move(fd), std::move(table));
}

absl::StatusOr<NftChanges> NftMonitor::Take() {
  NftChanges changes;
  alignas(nlmsghdr) std::array<char, 64 << 10> buffer;
  while (true) {
    const ssize_t size = recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (size >= 0) {
      Add({buffer.data(), static_cast<size_t>(size)}, &changes);
    } else if (errno == EAGAIN) {
      return changes;
    } else if (errno == ENOBUFS) {
      changes.lost = true;
    } else if (errno != EINTR) {
      return absl::ErrnoToStatus(errno, "nftables monitor");
    }
  }
}

void NftMonitor::Add(absl::string_view messages, NftChanges* changes) {
  nlmsghdr header;
  while (messages.size() >= sizeof(header)) {
    std::memcpy(&header, messages.data(), sizeof(header));
    if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > messages.size()) return;
    const absl::string_view message = messages.substr(0, header.nlmsg_len);
    if (header.nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN)) {
      const bool ours = IsOfTable(message, table_);
      touched_ |= ours;
      changes->others |= !ours;
    } else if (std::exchange(touched_, false)) {
      changes->transactions.push_back(
          {.generation = GenerationOf(message), .port = header.nlmsg_pid});
    }
    messages.remove_prefix(std::min<size_t>(NLMSG_ALIGN(header.nlmsg_len), messages.size()));
  }
}

}  // namespace svnet
