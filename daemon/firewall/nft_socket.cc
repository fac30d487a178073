#include "daemon/firewall/nft_socket.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <cerrno>
#include <optional>

#include "daemon/base/error.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

constexpr absl::string_view kContext = "nftables";
// NFT_TABLE_F_OWNER, which older headers do not have; and dormant, which an empty table is
// anyway: nft up to 1.0.7 (Debian 12 has 1.0.6) writes a table with exactly one flag as broken
// JSON, and corrupts its memory (table_flags_json).
constexpr uint32_t kOwnerAndDormant = 1 << 1 | NFT_TABLE_F_DORMANT;

// `type`: NFT_MSG_... `family`: NFPROTO_...
NetlinkMessage NftMessage(int type, int flags, uint8_t family) {
  return {NFNL_SUBSYS_NFTABLES << 8 | type, flags,
          nfgenmsg{.nfgen_family = family, .version = NFNETLINK_V0, .res_id = 0}};
}

void PutData(NetlinkMessage* message, int type, absl::string_view value) {
  const Nest data(message, type);
  message->PutBytes(NFTA_DATA_VALUE, value);
}

NetlinkMessage ElementMessage(int type, const std::string& table, const NftElement& element) {
  NetlinkMessage message = NftMessage(type, type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0,
                                      static_cast<uint8_t>(element.family));
  message.PutText(NFTA_SET_ELEM_LIST_TABLE, table);
  message.PutText(NFTA_SET_ELEM_LIST_SET, element.set);
  {
    const Nest list(&message, NFTA_SET_ELEM_LIST_ELEMENTS);
    const Nest only(&message, NFTA_LIST_ELEM);
    PutData(&message, NFTA_SET_ELEM_KEY, element.KeyBytes());
    const bool has_data = type == NFT_MSG_NEWSETELEM && !element.data.empty();
    if (has_data) PutData(&message, NFTA_SET_ELEM_DATA, element.DataBytes());
  }
  return message;
}

NetlinkMessage TableMessage(int type, const std::string& table) {
  const bool is_new = type == NFT_MSG_NEWTABLE;
  NetlinkMessage message = NftMessage(type, is_new ? NLM_F_CREATE | NLM_F_EXCL : 0, NFPROTO_INET);
  message.PutText(NFTA_TABLE_NAME, table);
  if (is_new) message.Put(NFTA_TABLE_FLAGS, htonl(kOwnerAndDormant));
  return message;
}

}  // namespace

absl::StatusOr<NftSocket> NftSocket::Open() {
  SVNET_ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::Open(NETLINK_NETFILTER));
  return NftSocket(std::move(socket));
}

absl::StatusOr<uint32_t> NftSocket::ReadGeneration() {
  std::optional<uint32_t> generation;
  const absl::Status status =
      socket_.Get(NftMessage(NFT_MSG_GETGEN, 0, AF_UNSPEC), [&](const NetlinkReader& answer) {
        generation = answer.attributes<nfgenmsg>().Get<uint32_t>(NFTA_GEN_ID);
      });
  SVNET_RETURN_IF_ERROR(Prepend(kContext, status));
  if (generation.has_value()) return ntohl(*generation);
  return absl::InternalError("nftables: no generation in the answer");
}

absl::StatusOr<bool> NftSocket::HasChain(NftElement::Family family, const std::string& table,
                                         const std::string& chain) {
  NetlinkMessage request = NftMessage(NFT_MSG_GETCHAIN, 0, static_cast<uint8_t>(family));
  request.PutText(NFTA_CHAIN_TABLE, table);
  request.PutText(NFTA_CHAIN_NAME, chain);
  const absl::Status status = socket_.Transact(std::move(request));
  if (ErrnoOf(status) == ENOENT) return false;
  SVNET_RETURN_IF_ERROR(Prepend(kContext, status));
  return true;
}

absl::Status NftSocket::Add(const std::string& table, const std::vector<NftElement>& elements) {
  return ChangeElements(table, {NFT_MSG_NEWSETELEM}, elements);
}

absl::Status NftSocket::Delete(const std::string& table, const std::vector<NftElement>& elements) {
  const absl::Status status = ChangeElements(table, {NFT_MSG_DELSETELEM}, elements);
  if (!absl::IsNotFound(status)) return status;
  // One that is not there has undone the rest: so now it is added first.
  return ChangeElements(table, {NFT_MSG_NEWSETELEM, NFT_MSG_DELSETELEM}, elements);
}

absl::Status NftSocket::ChangeElements(const std::string& table, const std::vector<int>& types,
                                       const std::vector<NftElement>& elements) {
  std::vector<NetlinkMessage> requests;
  requests.reserve(types.size() * elements.size());
  for (const int type : types) {
    for (const NftElement& element : elements) {
      requests.push_back(ElementMessage(type, table, element));
    }
  }
  return ChangeAll(std::move(requests));
}

absl::Status NftSocket::AddOwnedTable(const std::string& table) {
  const absl::Status status = ChangeTable({NFT_MSG_NEWTABLE}, table);
  if (!absl::IsAlreadyExists(status)) return status;
  return ChangeTable({NFT_MSG_DELTABLE, NFT_MSG_NEWTABLE}, table);
}

absl::Status NftSocket::ChangeTable(const std::vector<int>& types, const std::string& table) {
  std::vector<NetlinkMessage> requests;
  for (const int type : types) requests.push_back(TableMessage(type, table));
  return ChangeAll(std::move(requests));
}

absl::Status NftSocket::ChangeAll(std::vector<NetlinkMessage> requests) {
  return Prepend(kContext, socket_.TransactBatch(NFNL_SUBSYS_NFTABLES, std::move(requests)));
}

}  // namespace svnet
