// A netlink socket: requests with an acknowledgement, dumps, and nfnetlink's batches.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/base/unique_fd.h"
#include "daemon/netlink/netlink_message.h"
#include "daemon/netlink/netlink_reader.h"

namespace svnet {

// Not thread-safe. What the kernel refuses is an ErrnoStatus, with the kernel's extended text
// if there was one. Unavailable if the kernel does not answer.
class NetlinkSocket {
 public:
  using Visit = absl::FunctionRef<void(const NetlinkReader&)>;

  // `protocol`: NETLINK_ROUTE and the like. The socket belongs to the network
  // namespace that the thread is in now.
  static absl::StatusOr<NetlinkSocket> Open(int protocol);
  // On a socket that something else uses, too, but never at the same time. What the kernel
  // still says to the other is thrown away.
  static absl::StatusOr<NetlinkSocket> Share(UniqueFd socket);

  // What the kernel names as the sender of what this socket sent.
  uint32_t port() const { return port_; }

  // Sends one request and waits until the kernel has done it.
  absl::Status Transact(NetlinkMessage request);

  // Sends all of them at once. The kernel does each by itself, in order, and the next one also
  // if it could not do the one before. What became of each.
  std::vector<absl::Status> TransactEach(std::vector<NetlinkMessage> requests);

  // As Transact, and calls `visit` for the object that the kernel answers with.
  absl::Status Get(NetlinkMessage request, Visit visit);

  // Calls `visit` for each message of a dump. One that a change interrupted
  // (NLM_F_DUMP_INTR) starts again, at most kDumpAttempts times; before each attempt
  // `start` is called, to throw away what was collected so far.
  absl::Status Dump(absl::FunctionRef<NetlinkMessage()> request, absl::FunctionRef<void()> start,
                    Visit visit);

  // All of these or none, in order: a batch of nfnetlink's `subsystem` (NFNL_SUBSYS_...).
  // The first error, if there is one.
  absl::Status TransactBatch(int subsystem, std::vector<NetlinkMessage> requests);

  static constexpr int kDumpAttempts = 64;

 private:
  NetlinkSocket(UniqueFd socket, uint32_t port) : socket_(std::move(socket)), port_(port) {}

  absl::Status Send(absl::string_view bytes);
  // The next datagram from the kernel.
  absl::StatusOr<absl::string_view> Receive(char* buffer);
  // Receives what the kernel says to the messages of those numbers, until it has answered the last.
  absl::Status ReceiveEach(uint32_t first, std::vector<absl::Status>* results);
  // Sends, then receives until the kernel says that that was all.
  absl::Status Exchange(NetlinkMessage request, int flags, Visit visit, bool* interrupted);

  // The number of the last message. None is used twice, so that an answer that comes too late
  // is not taken for another's. Other users of a shared socket (libnftables) count from 0.
  uint32_t last_ = 1u << 31;
  UniqueFd socket_;
  uint32_t port_;
};

}  // namespace svnet
