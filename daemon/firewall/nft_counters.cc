#include "daemon/firewall/nft_counters.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

constexpr int kNftables = NFNL_SUBSYS_NFTABLES << 8;
constexpr timeval kAnswerTimeout = {.tv_sec = 10, .tv_usec = 0};
constexpr int kAttempts = 5;

absl::Status Errno(int error) { return absl::ErrnoToStatus(error, "nftables: counters"); }

// A request to dump the counters of the tables of one name.
struct Request {
  nlmsghdr header;
  nfgenmsg family;
  nlattr type;
  uint32_t counter;
  nlattr table;
  std::array<char, NFT_NAME_MAXLEN> name;
};

// The length that is sent.
size_t Fill(const std::string& table, uint32_t number, Request* request) {
  const size_t name = std::min(table.size() + 1, request->name.size());
  const size_t length = offsetof(Request, name) + NLMSG_ALIGN(name);
  *request = {.header = {.nlmsg_len = static_cast<uint32_t>(length),
                         .nlmsg_type = kNftables | NFT_MSG_GETOBJ,
                         .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                         .nlmsg_seq = number,
                         .nlmsg_pid = 0},
              .family = {.nfgen_family = NFPROTO_UNSPEC, .version = NFNETLINK_V0, .res_id = 0},
              .type = {.nla_len = sizeof(nlattr) + sizeof(uint32_t), .nla_type = NFTA_OBJ_TYPE},
              .counter = htonl(NFT_OBJECT_COUNTER),
              .table = {.nla_len = static_cast<uint16_t>(sizeof(nlattr) + name),
                        .nla_type = NFTA_OBJ_TABLE},
              .name = {}};
  std::memcpy(request->name.data(), table.c_str(), name - 1);
  return length;
}

// Takes the next attribute off `bytes`; false at the end, and at what is none.
bool TakeAttribute(absl::string_view* bytes, int* type, absl::string_view* value) {
  nlattr header = {};
  if (bytes->size() < sizeof(header)) return false;
  std::memcpy(&header, bytes->data(), sizeof(header));
  if (header.nla_len < sizeof(header) || header.nla_len > bytes->size()) return false;
  *type = header.nla_type & NLA_TYPE_MASK;
  *value = bytes->substr(sizeof(header), header.nla_len - sizeof(header));
  bytes->remove_prefix(std::min<size_t>(NLA_ALIGN(header.nla_len), bytes->size()));
  return true;
}

// The same for the next message.
bool TakeMessage(absl::string_view* bytes, nlmsghdr* header, absl::string_view* payload) {
  if (bytes->size() < sizeof(*header)) return false;
  std::memcpy(header, bytes->data(), sizeof(*header));
  if (header->nlmsg_len < sizeof(*header) || header->nlmsg_len > bytes->size()) return false;
  *payload = bytes->substr(sizeof(*header), header->nlmsg_len - sizeof(*header));
  bytes->remove_prefix(std::min<size_t>(NLMSG_ALIGN(header->nlmsg_len), bytes->size()));
  return true;
}

int ErrorIn(absl::string_view payload) {
  int error = 0;  // of nlmsgerr the first
  if (payload.size() >= sizeof(error)) std::memcpy(&error, payload.data(), sizeof(error));
  return -error;
}

bool IsOfOurFamilies(absl::string_view payload) {
  nfgenmsg family = {};
  if (payload.size() < sizeof(family)) return false;
  std::memcpy(&family, payload.data(), sizeof(family));
  return family.nfgen_family == NFPROTO_INET || family.nfgen_family == NFPROTO_BRIDGE;
}

uint64_t Number(absl::string_view value) {
  uint64_t number = 0;
  if (value.size() == sizeof(number)) std::memcpy(&number, value.data(), sizeof(number));
  return be64toh(number);
}

void ReadCounts(absl::string_view attributes, DropCount* drops) {
  int type = 0;
  absl::string_view value;
  while (TakeAttribute(&attributes, &type, &value)) {
    if (type == NFTA_COUNTER_PACKETS) drops->packets = Number(value);
    if (type == NFTA_COUNTER_BYTES) drops->bytes = Number(value);
  }
}

DropCount ReadCounter(absl::string_view attributes) {
  DropCount drops;
  int type = 0;
  absl::string_view value;
  while (TakeAttribute(&attributes, &type, &value)) {
    if (type == NFTA_OBJ_NAME) drops.cause = std::string(value.substr(0, value.find('\0')));
    if (type == NFTA_OBJ_DATA) ReadCounts(value, &drops);
  }
  return drops;
}

}  // namespace

absl::StatusOr<NftCounters> NftCounters::Open() {
  UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!fd.valid()) return Errno(errno);
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kAnswerTimeout, sizeof(kAnswerTimeout));
  return NftCounters(std::move(fd));
}

absl::StatusOr<std::vector<DropCount>> NftCounters::Read(const std::string& table) {
  absl::StatusOr<std::vector<DropCount>> drops = ReadOnce(table);
  for (int i = 1; i < kAttempts && absl::IsAborted(drops.status()); ++i) drops = ReadOnce(table);
  return drops;
}

absl::StatusOr<std::vector<DropCount>> NftCounters::ReadOnce(const std::string& table) {
  Request request;
  const size_t length = Fill(table, ++last_, &request);
  if (send(socket_.get(), &request, length, 0) < 0) return Errno(errno);
  std::vector<DropCount> all;
  bool interrupted = false;
  std::array<char, 32 << 10> buffer;  // the kernel's largest part of a dump
  while (true) {
    const ssize_t size = recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (size < 0) return Errno(errno);
    absl::string_view messages(buffer.data(), size);
    nlmsghdr header;
    absl::string_view payload;
    while (TakeMessage(&messages, &header, &payload)) {
      if (header.nlmsg_seq != last_) continue;  // too late, and to another
      interrupted |= (header.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
      if (header.nlmsg_type == NLMSG_ERROR) return Errno(ErrorIn(payload));
      if (header.nlmsg_type == NLMSG_DONE && !interrupted) return all;
      if (header.nlmsg_type == NLMSG_DONE) {
        return absl::AbortedError("nftables: counters: changed meanwhile");
      }
      if (IsOfOurFamilies(payload)) all.push_back(ReadCounter(payload.substr(sizeof(nfgenmsg))));
    }
  }
}

}  // namespace svnet
