#include "daemon/netlink/netlink_socket.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"
#include "daemon/base/status_macros.h"
#include "daemon/netlink/netlink_error.h"

namespace svnet {
namespace {

constexpr int kReceiveBuffer = 1 << 20;  // bytes; a dump comes in parts of up to 32 KiB
constexpr size_t kLargestDatagram = 64 << 10;
// The kernel answers in the system call that asks; this is for a machine that stands still.
constexpr int kAnswerTimeout = 10'000;  // milliseconds

NetlinkMessage BatchMark(int type, int subsystem) {
  return {type, 0,
          nfgenmsg{.nfgen_family = AF_UNSPEC,
                   .version = NFNETLINK_V0,
                   .res_id = htons(static_cast<uint16_t>(subsystem))}};
}

// Gives the socket a port, if it has none yet.
absl::StatusOr<uint32_t> PortOf(const UniqueFd& socket) {
  sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_pad = 0, .nl_pid = 0, .nl_groups = 0};
  auto* any = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof(address);
  if (getsockname(socket.get(), any, &size) == 0 && address.nl_family == AF_NETLINK &&
      address.nl_pid == 0) {
    size = sizeof(address);
    if (bind(socket.get(), any, size) != 0) return absl::ErrnoToStatus(errno, "netlink socket");
  }
  if (getsockname(socket.get(), any, &size) != 0) {
    return absl::ErrnoToStatus(errno, "netlink socket");
  }
  return address.nl_pid;
}

}  // namespace

absl::StatusOr<NetlinkSocket> NetlinkSocket::Open(int protocol) {
  UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, "netlink socket");
  const int on = 1;
  // Best effort: older kernels lack them, and all works without.
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof(kReceiveBuffer));
  setsockopt(fd.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
  setsockopt(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
  setsockopt(fd.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
  return Share(std::move(fd));
}

absl::StatusOr<NetlinkSocket> NetlinkSocket::Share(UniqueFd socket) {
  SVNET_ASSIGN_OR_RETURN(const uint32_t port, PortOf(socket));
  return NetlinkSocket(std::move(socket), port);
}

absl::Status NetlinkSocket::Transact(NetlinkMessage request) {
  return Get(std::move(request), [](const NetlinkReader&) {});
}

absl::Status NetlinkSocket::Get(NetlinkMessage request, Visit visit) {
  bool interrupted = false;
  return Exchange(std::move(request), NLM_F_ACK, visit, &interrupted);
}

absl::Status NetlinkSocket::Dump(absl::FunctionRef<NetlinkMessage()> request,
                                 absl::FunctionRef<void()> start, Visit visit) {
  for (int attempt = 0; attempt < kDumpAttempts; ++attempt) {
    start();
    bool interrupted = false;
    SVNET_RETURN_IF_ERROR(Exchange(request(), NLM_F_DUMP, visit, &interrupted));
    if (!interrupted) return absl::OkStatus();
  }
  return absl::UnavailableError(
      absl::StrCat("netlink dump: interrupted ", kDumpAttempts, " times by changes"));
}

absl::Status NetlinkSocket::Exchange(NetlinkMessage request, int flags, Visit visit,
                                     bool* interrupted) {
  const uint32_t number = ++last_;
  SVNET_RETURN_IF_ERROR(Send(request.Finish(number, flags)));
  char buffer[kLargestDatagram];
  while (true) {
    SVNET_ASSIGN_OR_RETURN(absl::string_view messages, Receive(buffer));
    while (const std::optional<NetlinkReader> message = NetlinkReader::Take(&messages)) {
      if (message->number() != number) continue;  // a late answer to an earlier request
      *interrupted |= (message->flags() & NLM_F_DUMP_INTR) != 0;
      if (message->type() == NLMSG_ERROR || message->type() == NLMSG_DONE) {
        return ResultOf(*message);
      }
      visit(*message);
    }
  }
}

std::vector<absl::Status> NetlinkSocket::TransactEach(std::vector<NetlinkMessage> requests) {
  std::vector<absl::Status> results(requests.size());
  if (requests.empty()) return results;
  const uint32_t first = last_ + 1;
  std::string bytes;
  for (NetlinkMessage& request : requests) {
    const int acknowledge = &request == &requests.back() ? NLM_F_ACK : 0;
    absl::StrAppend(&bytes, request.Finish(++last_, acknowledge));
  }
  absl::Status exchanged = Send(bytes);
  if (exchanged.ok()) exchanged = ReceiveEach(first, &results);
  if (!exchanged.ok()) std::fill(results.begin(), results.end(), exchanged);
  return results;
}

// It answers each that it could not do, and the last in any case.
absl::Status NetlinkSocket::ReceiveEach(uint32_t first, std::vector<absl::Status>* results) {
  char buffer[kLargestDatagram];
  while (true) {
    SVNET_ASSIGN_OR_RETURN(absl::string_view messages, Receive(buffer));
    while (const std::optional<NetlinkReader> message = NetlinkReader::Take(&messages)) {
      const uint32_t index = message->number() - first;
      if (message->type() != NLMSG_ERROR || index >= results->size()) continue;
      (*results)[index] = ResultOf(*message);
      if (index + 1 == results->size()) return absl::OkStatus();
    }
  }
}

absl::Status NetlinkSocket::TransactBatch(int subsystem, std::vector<NetlinkMessage> requests) {
  if (requests.empty()) return absl::OkStatus();
  const uint32_t begin = ++last_;
  std::string batch(BatchMark(NFNL_MSG_BATCH_BEGIN, subsystem).Finish(begin, 0));
  for (NetlinkMessage& request : requests) {
    const int acknowledge = &request == &requests.back() ? NLM_F_ACK : 0;
    absl::StrAppend(&batch, request.Finish(++last_, acknowledge));
  }
  absl::StrAppend(&batch, BatchMark(NFNL_MSG_BATCH_END, subsystem).Finish(begin, 0));
  SVNET_RETURN_IF_ERROR(Send(batch));
  // The kernel answers each message that fails, and the last one in any case, in order and
  // each in a datagram of its own. An answer to the begin is about the whole batch, and the
  // only one.
  absl::Status result;
  uint32_t answered = begin - 1;
  char buffer[kLargestDatagram];
  while (answered != begin && answered != last_) {
    SVNET_ASSIGN_OR_RETURN(absl::string_view messages, Receive(buffer));
    while (const std::optional<NetlinkReader> message = NetlinkReader::Take(&messages)) {
      const bool ours = message->number() - begin <= last_ - begin;
      if (message->type() != NLMSG_ERROR || !ours) continue;
      answered = message->number();
      result.Update(ResultOf(*message));
    }
  }
  return result;
}

absl::Status NetlinkSocket::Send(absl::string_view bytes) {
  if (send(socket_.get(), bytes.data(), bytes.size(), 0) >= 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, "netlink send");
}

absl::StatusOr<absl::string_view> NetlinkSocket::Receive(char* buffer) {
  while (true) {
    sockaddr_nl from = {};
    socklen_t from_size = sizeof(from);
    const ssize_t size = recvfrom(socket_.get(), buffer, kLargestDatagram, MSG_DONTWAIT | MSG_TRUNC,
                                  reinterpret_cast<sockaddr*>(&from), &from_size);
    if (size > static_cast<ssize_t>(kLargestDatagram)) {
      return absl::InternalError("netlink receive: the answer is too large");
    }
    if (size >= 0 && from.nl_pid == 0) return absl::string_view(buffer, size);
    if (size >= 0 || errno == EINTR) continue;  // other processes are not listened to
    if (errno != EAGAIN) return absl::ErrnoToStatus(errno, "netlink receive");
    pollfd readable = {.fd = socket_.get(), .events = POLLIN, .revents = 0};
    const int ready = poll(&readable, 1, kAnswerTimeout);
    if (ready == 0) return absl::UnavailableError("netlink receive: no answer");
    if (ready < 0 && errno != EINTR) return absl::ErrnoToStatus(errno, "netlink receive");
  }
}

}  // namespace svnet
