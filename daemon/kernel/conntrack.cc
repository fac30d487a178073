#include "daemon/kernel/conntrack.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

constexpr int MessageType(int type) { return NFNL_SUBSYS_CTNETLINK << 8 | type; }

constexpr nfgenmsg kIpv4 = {.nfgen_family = AF_INET, .version = NFNETLINK_V0, .res_id = 0};

// What names a flow to the kernel: these attributes, as it sent them.
constexpr std::array kIdentity = {CTA_TUPLE_ORIG, CTA_ZONE, CTA_ID};

// The two addresses of a flow's direction.
bool IsOfAny(nlattr* tuple, const std::set<Ipv4Address>& addresses) {
  if (tuple == nullptr) return false;
  std::array<nlattr*, CTA_TUPLE_MAX + 1> parts = {};
  nla_parse_nested(parts.data(), CTA_TUPLE_MAX, tuple, nullptr);
  if (parts[CTA_TUPLE_IP] == nullptr) return false;
  std::array<nlattr*, CTA_IP_MAX + 1> ends = {};
  nla_parse_nested(ends.data(), CTA_IP_MAX, parts[CTA_TUPLE_IP], nullptr);
  const std::array both = {ends[CTA_IP_V4_SRC], ends[CTA_IP_V4_DST]};
  return std::any_of(both.begin(), both.end(), [&](nlattr* end) {
    return end != nullptr && nla_len(end) == sizeof(uint32_t) &&
           addresses.contains(Ipv4Address(ntohl(nla_get_u32(end))));
  });
}

// The attributes by which to delete the flow of a dump's message, if it is one of any of
// the addresses; empty if not.
std::string IdentityIfOfAny(nlmsghdr* message, const std::set<Ipv4Address>& addresses) {
  std::array<nlattr*, CTA_MAX + 1> attributes = {};
  nlmsg_parse(message, sizeof(nfgenmsg), attributes.data(), CTA_MAX, nullptr);
  if (!IsOfAny(attributes[CTA_TUPLE_ORIG], addresses) &&
      !IsOfAny(attributes[CTA_TUPLE_REPLY], addresses)) {
    return "";
  }
  std::string identity;
  for (const int type : kIdentity) {
    const nlattr* attribute = attributes[type];
    if (attribute == nullptr) continue;
    identity.append(reinterpret_cast<const char*>(attribute), attribute->nla_len);
    identity.resize(NLMSG_ALIGN(identity.size()));
  }
  return identity;
}

absl::Status DeleteFlow(NetlinkSocket& socket, const std::string& identity) {
  NetlinkMessage request = NewMessage(MessageType(IPCTNL_MSG_CT_DELETE), 0, kIpv4);
  nlmsg_append(request.get(), const_cast<char*>(identity.data()), identity.size(), 0);
  const absl::Status status = socket.Transact(std::move(request));
  return ErrnoOf(status) == ENOENT ? absl::OkStatus() : status;  // it has ended by itself
}

}  // namespace

absl::Status DeleteFlows(NetlinkSocket& socket, const std::set<Ipv4Address>& addresses) {
  std::vector<std::string> flows;
  SVNET_RETURN_IF_ERROR(
      socket.Dump([] { return NewMessage(MessageType(IPCTNL_MSG_CT_GET), NLM_F_DUMP, kIpv4); },
                  [&] { flows.clear(); },
                  [&](nlmsghdr* message) {
                    std::string identity = IdentityIfOfAny(message, addresses);
                    if (!identity.empty()) flows.push_back(std::move(identity));
                  }));
  for (const std::string& flow : flows) SVNET_RETURN_IF_ERROR(DeleteFlow(socket, flow));
  return absl::OkStatus();
}

}  // namespace svnet
