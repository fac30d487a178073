#include "daemon/kernel/netlink_socket.h"

#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

constexpr int kReceiveBuffer = 1 << 20;  // bytes; a dump comes in parts of up to 32 KiB
constexpr int kMessageBuffer = 64 << 10;
constexpr absl::string_view kErrnoPayload = "svnet/errno";
constexpr timeval kAnswerTimeout = {.tv_sec = 10, .tv_usec = 0};

// libnl's own errors, which arise on this side of the socket.
absl::Status FromLibnl(int error, absl::string_view what) {
  if (error == -NLE_AGAIN) return absl::UnavailableError(absl::StrCat(what, ": no answer"));
  return absl::InternalError(absl::StrCat(what, ": ", nl_geterror(error)));
}

// The text that the kernel adds to an error (NLMSGERR_ATTR_MSG), if it did.
std::string ExtendedText(nlmsgerr* error) {
  auto* header = reinterpret_cast<nlmsghdr*>(reinterpret_cast<char*>(error) - NLMSG_HDRLEN);
  if ((header->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return "";
  int offset = sizeof(nlmsgerr);
  if ((header->nlmsg_flags & NLM_F_CAPPED) == 0) {
    offset += static_cast<int>(error->msg.nlmsg_len) - NLMSG_HDRLEN;
  }
  const nlattr* text = nlmsg_find_attr(header, offset, NLMSGERR_ATTR_MSG);
  return text == nullptr ? "" : nla_get_string(text);
}

// What one exchange collects in libnl's callbacks.
struct Answer {
  absl::FunctionRef<void(nlmsghdr*)> visit;
  bool finished = false;
  bool interrupted = false;
  int error = 0;  // errno
  std::string error_text;
};

// "Operation not supported (MTU less than device minimum)".
std::string Words(const Answer& answer) {
  std::string words = std::system_category().message(answer.error);
  if (!answer.error_text.empty()) absl::StrAppend(&words, " (", answer.error_text, ")");
  return words;
}

int OnValid(nl_msg* message, void* argument) {
  auto* answer = static_cast<Answer*>(argument);
  nlmsghdr* header = nlmsg_hdr(message);
  if ((header->nlmsg_flags & NLM_F_DUMP_INTR) != 0) answer->interrupted = true;
  answer->visit(header);
  return NL_OK;
}

int OnFinish(nl_msg* message, void* argument) {
  auto* answer = static_cast<Answer*>(argument);
  nlmsghdr* header = nlmsg_hdr(message);
  if ((header->nlmsg_flags & NLM_F_DUMP_INTR) != 0) answer->interrupted = true;
  // A dump that fails on its way says so in NLMSG_DONE.
  if (header->nlmsg_type == NLMSG_DONE && nlmsg_datalen(header) >= static_cast<int>(sizeof(int))) {
    answer->error = -*static_cast<int*>(nlmsg_data(header));
  }
  answer->finished = true;
  return NL_STOP;
}

int OnError(sockaddr_nl* /*from*/, nlmsgerr* error, void* argument) {
  auto* answer = static_cast<Answer*>(argument);
  answer->error = -error->error;
  answer->error_text = ExtendedText(error);
  answer->finished = true;
  return NL_SKIP;  // after NL_STOP libnl would report it a second time, as its own
}

}  // namespace

int ErrnoOf(const absl::Status& status) {
  int error = 0;
  const absl::optional<absl::Cord> payload = status.GetPayload(kErrnoPayload);
  if (payload.has_value() && !absl::SimpleAtoi(std::string(*payload), &error)) return 0;
  return error;
}

absl::StatusOr<NetlinkSocket> NetlinkSocket::Open(int protocol) {
  Socket socket(nl_socket_alloc());
  if (socket == nullptr) return absl::ResourceExhaustedError("netlink socket: out of memory");
  if (const int error = nl_connect(socket.get(), protocol); error < 0) {
    return FromLibnl(error, "netlink socket");
  }
  nl_socket_set_buffer_size(socket.get(), kReceiveBuffer, 0);
  nl_socket_set_msg_buf_size(socket.get(), kMessageBuffer);
  const int fd = nl_socket_get_fd(socket.get());
  const int on = 1;
  // Best effort: older kernels lack them, and all works without.
  setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
  setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
  setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kAnswerTimeout, sizeof(kAnswerTimeout));
  return NetlinkSocket(std::move(socket));
}

absl::Status NetlinkSocket::Transact(NetlinkMessage request) {
  return Get(std::move(request), [](nlmsghdr*) {});
}

absl::Status NetlinkSocket::Get(NetlinkMessage request, absl::FunctionRef<void(nlmsghdr*)> visit) {
  nlmsg_hdr(request.get())->nlmsg_flags |= NLM_F_ACK;
  bool interrupted = false;
  return Exchange(request.get(), visit, &interrupted);
}

absl::Status NetlinkSocket::Dump(absl::FunctionRef<NetlinkMessage()> request,
                                 absl::FunctionRef<void()> start,
                                 absl::FunctionRef<void(nlmsghdr*)> visit) {
  for (int attempt = 0; attempt < kDumpAttempts; ++attempt) {
    start();
    bool interrupted = false;
    NetlinkMessage message = request();
    SVNET_RETURN_IF_ERROR(Exchange(message.get(), visit, &interrupted));
    if (!interrupted) return absl::OkStatus();
  }
  return absl::UnavailableError(
      absl::StrCat("netlink dump: interrupted ", kDumpAttempts, " times by changes"));
}

absl::Status NetlinkSocket::Exchange(nl_msg* request, absl::FunctionRef<void(nlmsghdr*)> visit,
                                     bool* interrupted) {
  Answer answer{.visit = visit, .error_text = {}};
  const std::unique_ptr<nl_cb, FreeWith<nl_cb_put>> callbacks(nl_cb_alloc(NL_CB_DEFAULT));
  nl_cb_set(callbacks.get(), NL_CB_VALID, NL_CB_CUSTOM, OnValid, &answer);
  nl_cb_set(callbacks.get(), NL_CB_ACK, NL_CB_CUSTOM, OnFinish, &answer);
  nl_cb_set(callbacks.get(), NL_CB_FINISH, NL_CB_CUSTOM, OnFinish, &answer);
  nl_cb_set(
      callbacks.get(), NL_CB_DUMP_INTR, NL_CB_CUSTOM,
      [](nl_msg*, void* argument) -> int {
        static_cast<Answer*>(argument)->interrupted = true;
        return NL_OK;
      },
      &answer);
  nl_cb_err(callbacks.get(), NL_CB_CUSTOM, OnError, &answer);
  // An answer to an earlier request that timed out must not be taken for this one's.
  nl_cb_set(
      callbacks.get(), NL_CB_SEQ_CHECK, NL_CB_CUSTOM,
      [](nl_msg* message, void* expected) -> int {
        return nlmsg_hdr(message)->nlmsg_seq == *static_cast<uint32_t*>(expected) ? NL_OK : NL_SKIP;
      },
      &nlmsg_hdr(request)->nlmsg_seq);

  if (const int sent = nl_send_auto(socket_.get(), request); sent < 0) {
    return FromLibnl(sent, "netlink send");
  }
  while (!answer.finished) {
    const int received = nl_recvmsgs_report(socket_.get(), callbacks.get());
    if (received < 0 && received != -NLE_DUMP_INTR) return FromLibnl(received, "netlink receive");
  }
  *interrupted = answer.interrupted;
  if (answer.error == 0) return absl::OkStatus();
  absl::Status status(absl::ErrnoToStatusCode(answer.error), Words(answer));
  status.SetPayload(kErrnoPayload, absl::Cord(absl::StrCat(answer.error)));
  return status;
}

}  // namespace svnet
