#include "daemon/firewall/nft_counters.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <utility>

#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

NetlinkMessage DumpRequest(const std::string& table) {
  NetlinkMessage request(
      NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETOBJ, 0,
      nfgenmsg{.nfgen_family = NFPROTO_UNSPEC, .version = NFNETLINK_V0, .res_id = 0});
  request.Put(NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
  request.PutText(NFTA_OBJ_TABLE, table);
  return request;
}

bool IsOfOurFamilies(const NetlinkReader& message) {
  const int family = message.fixed<nfgenmsg>().nfgen_family;
  return family == NFPROTO_INET || family == NFPROTO_BRIDGE || family == NFPROTO_ARP;
}

uint64_t Number(const NetlinkAttributes& counter, int type) {
  return be64toh(counter.Get<uint64_t>(type).value_or(0));
}

DropCount ReadCounter(const NetlinkReader& message) {
  const NetlinkAttributes object = message.attributes<nfgenmsg>();
  const NetlinkAttributes counter = object.In(NFTA_OBJ_DATA);
  return {.cause = object.GetText(NFTA_OBJ_NAME),
          .packets = Number(counter, NFTA_COUNTER_PACKETS),
          .bytes = Number(counter, NFTA_COUNTER_BYTES)};
}

}  // namespace

absl::StatusOr<NftCounters> NftCounters::Open() {
  SVNET_ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::Open(NETLINK_NETFILTER));
  return NftCounters(std::move(socket));
}

absl::StatusOr<std::vector<DropCount>> NftCounters::Read(const std::string& table,
                                                         absl::string_view prefix) {
  std::vector<DropCount> all;
  const auto add = [&](const NetlinkReader& message) {
    if (!IsOfOurFamilies(message)) return;
    DropCount count = ReadCounter(message);
    const size_t length = count.cause.find('/') + 1;  // 0: it has none
    if (absl::string_view(count.cause).substr(0, length) != prefix) return;
    count.cause.erase(0, length);
    all.push_back(std::move(count));
  };
  const absl::Status status =
      socket_.Dump([&] { return DumpRequest(table); }, [&] { all.clear(); }, add);
  SVNET_RETURN_IF_ERROR(WithContext("nftables: counters", status));
  return all;
}

}  // namespace svnet
