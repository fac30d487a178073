#include "daemon/kernel/conntrack.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/status_macros.h"
#include "daemon/netlink/netlink_error.h"

namespace svnet {
namespace {

constexpr int MessageType(int type) { return NFNL_SUBSYS_CTNETLINK << 8 | type; }

constexpr nfgenmsg kIpv4 = {.nfgen_family = AF_INET, .version = NFNETLINK_V0, .res_id = 0};

// What names a flow to the kernel: these attributes, as it sent them.
constexpr std::array kIdentity = {CTA_TUPLE_ORIG, CTA_ZONE, CTA_ID};

constexpr std::array kEnds = {CTA_IP_V4_SRC, CTA_IP_V4_DST};

// The two addresses of a flow's direction.
bool IsOfAny(const NetlinkAttributes& tuple, const std::set<Ipv4Address>& addresses) {
  const NetlinkAttributes ends = tuple.In(CTA_TUPLE_IP);
  return std::any_of(kEnds.begin(), kEnds.end(), [&](int type) {
    const std::optional<uint32_t> end = ends.Get<uint32_t>(type);
    return end.has_value() && addresses.contains(Ipv4Address(ntohl(*end)));
  });
}

// The attributes by which to delete the flow of a dump's message, if it is one of any of
// the addresses; empty if not.
std::string IdentityIfOfAny(const NetlinkReader& message, const std::set<Ipv4Address>& addresses) {
  const NetlinkAttributes attributes = message.attributes<nfgenmsg>();
  if (!IsOfAny(attributes.In(CTA_TUPLE_ORIG), addresses) &&
      !IsOfAny(attributes.In(CTA_TUPLE_REPLY), addresses)) {
    return "";
  }
  std::string identity;
  for (const int type : kIdentity) {
    const absl::string_view attribute = attributes.FindWhole(type);
    identity.append(attribute.data(), attribute.size());
    identity.resize(NLMSG_ALIGN(identity.size()));
  }
  return identity;
}

absl::Status DeleteFlow(NetlinkSocket& socket, const std::string& identity) {
  NetlinkMessage request = NetlinkMessage(MessageType(IPCTNL_MSG_CT_DELETE), 0, kIpv4);
  request.Append(identity);
  const absl::Status status = socket.Transact(std::move(request));
  return ErrnoOf(status) == ENOENT ? absl::OkStatus() : status;  // it has ended by itself
}

}  // namespace

absl::Status DeleteFlows(NetlinkSocket& socket, const std::set<Ipv4Address>& addresses) {
  std::vector<std::string> flows;
  SVNET_RETURN_IF_ERROR(
      socket.Dump([] { return NetlinkMessage(MessageType(IPCTNL_MSG_CT_GET), NLM_F_DUMP, kIpv4); },
                  [&] { flows.clear(); },
                  [&](const NetlinkReader& message) {
                    std::string identity = IdentityIfOfAny(message, addresses);
                    if (!identity.empty()) flows.push_back(std::move(identity));
                  }));
  for (const std::string& flow : flows) SVNET_RETURN_IF_ERROR(DeleteFlow(socket, flow));
  return absl::OkStatus();
}

}  // namespace svnet
