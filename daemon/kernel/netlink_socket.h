// A netlink socket: requests with an acknowledgement, and dumps.
#pragma once

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace svnet {

// Owns what a C library allocated: FreeWith<nlmsg_free>.
template <auto kFree>
struct FreeWith {
  template <typename T>
  void operator()(T* pointer) const {
    kFree(pointer);
  }
};

using NetlinkMessage = std::unique_ptr<nl_msg, FreeWith<nlmsg_free>>;

// A request of `type` (RTM_...) with its fixed header (ifinfomsg and the like).
template <typename Header>
NetlinkMessage NewMessage(int type, int flags, const Header& header) {
  NetlinkMessage message(nlmsg_alloc_simple(type, NLM_F_REQUEST | flags));
  nlmsg_append(message.get(), const_cast<Header*>(&header), sizeof(header), NLMSG_ALIGNTO);
  return message;
}

// A nested attribute, open as long as the object lives.
class Nest {
 public:
  Nest(nl_msg* message, int type) : message_(message), start_(nla_nest_start(message, type)) {}
  ~Nest() { nla_nest_end(message_, start_); }
  Nest(const Nest&) = delete;
  Nest& operator=(const Nest&) = delete;

 private:
  nl_msg* message_;
  nlattr* start_;
};

// The errno that the kernel answered a netlink request with; 0 if it was no such error.
int ErrnoOf(const absl::Status& status);

// Not thread-safe. Errors have the code that absl::ErrnoToStatusCode gives for the
// kernel's errno, and its words, with the extended text if there was one.
class NetlinkSocket {
 public:
  // `protocol`: NETLINK_ROUTE and the like. The socket belongs to the network
  // namespace that the thread is in now.
  static absl::StatusOr<NetlinkSocket> Open(int protocol);

  // Sends one request and waits until the kernel has done it.
  absl::Status Transact(NetlinkMessage request);

  // As Transact, and calls `visit` for the object that the kernel answers with.
  absl::Status Get(NetlinkMessage request, absl::FunctionRef<void(nlmsghdr*)> visit);

  // Calls `visit` for each message of a dump. One that a change interrupted
  // (NLM_F_DUMP_INTR) starts again, at most kDumpAttempts times; before each attempt
  // `start` is called, to throw away what was collected so far.
  absl::Status Dump(absl::FunctionRef<NetlinkMessage()> request, absl::FunctionRef<void()> start,
                    absl::FunctionRef<void(nlmsghdr*)> visit);

  static constexpr int kDumpAttempts = 64;

 private:
  using Socket = std::unique_ptr<nl_sock, FreeWith<nl_socket_free>>;

  explicit NetlinkSocket(Socket socket) : socket_(std::move(socket)) {}

  // Sends, then receives until the kernel says that that was all.
  absl::Status Exchange(nl_msg* request, absl::FunctionRef<void(nlmsghdr*)> visit,
                        bool* interrupted);

  Socket socket_;
};

}  // namespace svnet
