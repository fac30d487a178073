#include "daemon/firewall/nft_socket.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/string_view.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

constexpr int kNftables = NFNL_SUBSYS_NFTABLES << 8;
// NFT_TABLE_F_OWNER, which older headers do not have; and dormant, which an empty table is
// anyway: nft up to 1.0.7 (Debian 12 has 1.0.6) writes a table with exactly one flag as broken
// JSON, and corrupts its memory (table_flags_json).
constexpr uint32_t kOwnerAndDormant = 1 << 1 | NFT_TABLE_F_DORMANT;
constexpr timeval kAnswerTimeout = {.tv_sec = 10, .tv_usec = 0};

absl::Status Errno(int error) { return absl::ErrnoToStatus(error, "nftables"); }

std::string Padded(std::string bytes) {
  bytes.resize(NLMSG_ALIGN(bytes.size()));
  return bytes;
}

template <typename Struct>
std::string Bytes(const Struct& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

std::string Attribute(int type, absl::string_view value) {
  const nlattr header = {.nla_len = static_cast<uint16_t>(sizeof(nlattr) + value.size()),
                         .nla_type = static_cast<uint16_t>(type)};
  return Padded(Bytes(header) + std::string(value));
}

std::string Nest(int type, absl::string_view attributes) {
  return Attribute(type | NLA_F_NESTED, attributes);
}

// With its NUL.
std::string TextAttribute(int type, const std::string& text) {
  return Attribute(type, absl::string_view(text.c_str(), text.size() + 1));
}

struct Envelope {
  int type;
  int flags;
  uint32_t number;
  uint8_t family;
  uint16_t resource;
};

std::string Message(const Envelope& envelope, absl::string_view attributes) {
  const nlmsghdr header = {
      .nlmsg_len = static_cast<uint32_t>(sizeof(nlmsghdr) + sizeof(nfgenmsg) + attributes.size()),
      .nlmsg_type = static_cast<uint16_t>(envelope.type),
      .nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | envelope.flags),
      .nlmsg_seq = envelope.number};
  const nfgenmsg family = {
      .nfgen_family = envelope.family, .version = NFNETLINK_V0, .res_id = htons(envelope.resource)};
  return Bytes(header) + Bytes(family) + std::string(attributes);
}

std::string BatchMark(int type, uint32_t number) {
  return Message(
      {.type = type, .number = number, .family = AF_UNSPEC, .resource = NFNL_SUBSYS_NFTABLES}, "");
}

// `flags` besides NLM_F_REQUEST.
std::string ElementMessage(int type, int flags, uint32_t number, const std::string& table,
                           const NftElement& element) {
  std::string attributes = Nest(NFTA_SET_ELEM_KEY, Attribute(NFTA_DATA_VALUE, element.key));
  if (type == NFT_MSG_NEWSETELEM && !element.data.empty()) {
    attributes += Nest(NFTA_SET_ELEM_DATA, Attribute(NFTA_DATA_VALUE, element.data));
  }
  return Message({.type = kNftables | type,
                  .flags = flags,
                  .number = number,
                  .family = static_cast<uint8_t>(element.family)},
                 TextAttribute(NFTA_SET_ELEM_LIST_TABLE, table) +
                     TextAttribute(NFTA_SET_ELEM_LIST_SET, element.set) +
                     Nest(NFTA_SET_ELEM_LIST_ELEMENTS, Nest(NFTA_LIST_ELEM, attributes)));
}

std::string TableMessage(int type, int flags, uint32_t number, const std::string& table) {
  std::string attributes = TextAttribute(NFTA_TABLE_NAME, table);
  if (type == NFT_MSG_NEWTABLE) {
    attributes += Attribute(NFTA_TABLE_FLAGS, Bytes(htonl(kOwnerAndDormant)));
    flags |= NLM_F_CREATE | NLM_F_EXCL;
  }
  return Message(
      {.type = kNftables | type, .flags = flags, .number = number, .family = NFPROTO_INET},
      attributes);
}

}  // namespace

absl::StatusOr<NftSocket> NftSocket::Open() {
  UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!fd.valid()) return Errno(errno);
  const int on = 1;
  setsockopt(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));  // short answers
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kAnswerTimeout, sizeof(kAnswerTimeout));
  sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_pad = 0, .nl_pid = 0, .nl_groups = 0};
  socklen_t size = sizeof(address);
  auto* any = reinterpret_cast<sockaddr*>(&address);
  if (bind(fd.get(), any, size) != 0 || getsockname(fd.get(), any, &size) != 0) {
    return Errno(errno);
  }
  return NftSocket(std::move(fd), address.nl_pid);
}

absl::StatusOr<uint32_t> NftSocket::ReadGeneration() {
  const std::string request = Message({.type = kNftables | NFT_MSG_GETGEN, .number = ++last_}, "");
  if (send(socket_.get(), request.data(), request.size(), 0) < 0) return Errno(errno);
  struct {
    nlmsghdr header;
    nfgenmsg family;
    nlattr attribute;  // NFTA_GEN_ID is the first
    uint32_t generation;
    char others[256];
  } answer = {};
  while (answer.header.nlmsg_seq != last_) {
    if (recv(socket_.get(), &answer, sizeof(answer), 0) < 0) return Errno(errno);
  }
  if (answer.header.nlmsg_type == NLMSG_ERROR) {
    int error = 0;  // the first of an nlmsgerr
    std::memcpy(&error, &answer.family, sizeof(error));
    return Errno(-error);
  }
  if (answer.header.nlmsg_type != (kNftables | NFT_MSG_NEWGEN) ||
      answer.attribute.nla_type != NFTA_GEN_ID) {
    return absl::InternalError("nftables: no generation in the answer");
  }
  return ntohl(answer.generation);
}

absl::StatusOr<bool> NftSocket::HasChain(NftElement::Family family, const std::string& table,
                                         const std::string& chain) {
  const std::string request =
      Message({.type = kNftables | NFT_MSG_GETCHAIN,
               .number = ++last_,
               .family = static_cast<uint8_t>(family)},
              TextAttribute(NFTA_CHAIN_TABLE, table) + TextAttribute(NFTA_CHAIN_NAME, chain));
  if (send(socket_.get(), request.data(), request.size(), 0) < 0) return Errno(errno);
  struct {
    nlmsghdr header;
    nlmsgerr result;
    char others[4096];
  } answer = {};
  while (answer.header.nlmsg_seq != last_) {
    if (recv(socket_.get(), &answer, sizeof(answer), 0) < 0) return Errno(errno);
  }
  if (answer.header.nlmsg_type == (kNftables | NFT_MSG_NEWCHAIN)) return true;
  const int error = answer.header.nlmsg_type == NLMSG_ERROR ? -answer.result.error : EPROTO;
  if (error == ENOENT) return false;
  return Errno(error);
}

absl::Status NftSocket::Add(const std::string& table, const std::vector<NftElement>& elements) {
  return Transact(table, {NFT_MSG_NEWSETELEM}, elements);
}

absl::Status NftSocket::Delete(const std::string& table, const std::vector<NftElement>& elements) {
  const absl::Status status = Transact(table, {NFT_MSG_DELSETELEM}, elements);
  if (!absl::IsNotFound(status)) return status;
  // One that is not there has undone the rest: so now it is added first.
  return Transact(table, {NFT_MSG_NEWSETELEM, NFT_MSG_DELSETELEM}, elements);
}

absl::Status NftSocket::Transact(const std::string& table, const std::vector<int>& types,
                                 const std::vector<NftElement>& elements) {
  const uint32_t begin = ++last_;
  const auto end = static_cast<uint32_t>(begin + types.size() * elements.size());
  std::string batch = BatchMark(NFNL_MSG_BATCH_BEGIN, begin);
  for (const int type : types) {
    const int create = type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0;
    for (const NftElement& element : elements) {
      const int acknowledge = ++last_ == end ? NLM_F_ACK : 0;
      batch += ElementMessage(type, create | acknowledge, last_, table, element);
    }
  }
  batch += BatchMark(NFNL_MSG_BATCH_END, begin);
  return SendBatch(batch, begin);
}

absl::Status NftSocket::AddOwnedTable(const std::string& table) {
  const absl::Status status = TransactTable({NFT_MSG_NEWTABLE}, table);
  if (!absl::IsAlreadyExists(status)) return status;
  return TransactTable({NFT_MSG_DELTABLE, NFT_MSG_NEWTABLE}, table);
}

absl::Status NftSocket::TransactTable(const std::vector<int>& types, const std::string& table) {
  const uint32_t begin = ++last_;
  const auto end = static_cast<uint32_t>(begin + types.size());
  std::string batch = BatchMark(NFNL_MSG_BATCH_BEGIN, begin);
  for (const int type : types) {
    const int acknowledge = ++last_ == end ? NLM_F_ACK : 0;
    batch += TableMessage(type, acknowledge, last_, table);
  }
  batch += BatchMark(NFNL_MSG_BATCH_END, begin);
  return SendBatch(batch, begin);
}

absl::Status NftSocket::SendBatch(const std::string& batch, uint32_t begin) {
  if (send(socket_.get(), batch.data(), batch.size(), 0) < 0) return Errno(errno);
  int error = 0;
  // What fails is answered, and the last message in any case, in order and each in a
  // datagram of its own; an answer to the begin is about the whole batch, and there are no
  // others then.
  uint32_t answered = begin - 1;
  while (answered != begin && answered != last_) {
    struct {
      nlmsghdr header;
      nlmsgerr result;
      char others[1024];
    } answer = {};
    if (recv(socket_.get(), &answer, sizeof(answer), 0) < 0) return Errno(errno);
    if (answer.header.nlmsg_type != NLMSG_ERROR ||
        answer.header.nlmsg_seq - begin > last_ - begin) {
      continue;  // too late, and to another
    }
    answered = answer.header.nlmsg_seq;
    if (error == 0) error = -answer.result.error;
  }
  return error == 0 ? absl::OkStatus() : Errno(error);
}

}  // namespace svnet
