// A caller on tap.sock.
#pragma once

#include <grpcpp/grpcpp.h>

#include <string>
#include <vector>

#include "daemon/base/unique_fd.h"
#include "svnet/v1/network.pb.h"
#include "tests/system/daemon.h"

namespace svnet::testing {

class TapConnection {
 public:
  // `socket`: where svnetd is called.
  TapConnection(const std::string& socket, const RunAs& who);

  void Send(const std::string& packet) const;
  // False if svnetd has closed the connection.
  bool TrySend(const std::string& packet) const;
  void Ask(const v1::OpenTapRequest& request) const { Send(request.SerializeAsString()); }
  void Ask(const std::string& tap_name) const;

  struct Answer {
    grpc::Status status;
    std::vector<UniqueFd> queues;
  };
  // Waits for it: UNAVAILABLE if svnetd closes the connection instead, DEADLINE_EXCEEDED if it does
  // not answer at all.
  Answer Take() const;
  // Takes one answer to one question.
  Answer Open(const std::string& tap_name) const {
    Ask(tap_name);
    return Take();
  }

 private:
  UniqueFd fd_;
};

}  // namespace svnet::testing
