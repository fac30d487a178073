// Callers of several uids, in the test's own process.
#pragma once

#include <grpcpp/grpcpp.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <vector>

#include "daemon/base/unique_fd.h"
#include "svnet/v1/network.grpc.pb.h"
#include "tests/system/daemon.h"

namespace svnet::testing {

// A connected socket, and what the kernel recorded of who connected: the calling
// thread takes these ids for the time of connect(2). Non-blocking. `type`: also SOCK_SEQPACKET.
UniqueFd ConnectAs(const std::string& socket, const RunAs& who, int type = SOCK_STREAM);

// A connection to svnetd that a process of that uid opened.
class Client {
 public:
  Client(const std::string& socket, const RunAs& who);
  // With no supplementary groups.
  Client(const std::string& socket, uid_t uid) : Client(socket, {uid, uid, {}}) {}

  v1::NetworkService::Stub& stub() { return *stub_; }
  // For stubs of other services.
  const std::shared_ptr<grpc::Channel>& channel() { return channel_; }

  struct Answer {
    grpc::Status status;
    v1::Tap tap;
  };
  Answer Create(const v1::CreateTapRequest& request);
  Answer Create(const std::string& vm, const std::string& iface = "eth0");

  // Fail the test if they fail.
  v1::Tap MustCreate(const std::string& vm, const std::string& iface = "eth0");
  v1::Tap MustCreate(const v1::CreateTapRequest& request);
  std::vector<v1::Tap> MustList();
  v1::Tap MustGet(const std::string& tap_name);
  std::string MustGetBootArgs(const std::string& tap_name);
  v1::Tap MustUpdate(const v1::UpdateTapRequest& request);
  v1::GetNetworkResponse MustGetNetwork(const std::string& network = "");
  v1::CleanupResponse MustCleanup(v1::CleanupScope scope, const std::string& network = "");
  // Whether there was something to remove.
  bool MustRemove(const v1::RemoveTapRequest& request);
  bool MustRemove(const std::string& tap_name);

 private:
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::NetworkService::Stub> stub_;
};

// A WatchTaps call of that caller. Every wait has a deadline, after which the test fails.
class Watcher {
 public:
  explicit Watcher(Client& client);
  ~Watcher();

  // The next event but SNAPSHOT_END; one without a type when the stream has ended.
  v1::TapEvent Next();
  // Passes over others until one is of that type, and of that TAP, unless `tap` is empty.
  v1::TapEvent WaitFor(v1::TapEventType type, const std::string& tap = "");
  // Why the stream has ended.
  grpc::Status Finish() { return reader_->Finish(); }

 private:
  v1::TapEvent Read();

  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::TapEvent>> reader_;
};

// ErrorInfo's reason; empty if the status has none. Checks the rest of the details.
std::string ReasonOf(const grpc::Status& status);

}  // namespace svnet::testing
