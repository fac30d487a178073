// What a supervisor needs of svnetd.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>

#include "svnet/v1/network.grpc.pb.h"

// One connection to svnetd, which gRPC makes again when it breaks. Thread-safe.
//
// Every call may be repeated, so each is, for 10 s at most, while svnetd is not there: it
// may be restarting. Errors are svnetd's own; ReasonOf() says what to do about them.
class Network {
 public:
  // `socket` is an absolute path.
  explicit Network(const std::string& socket);

  // The lease of (caller, vm, iface): the one that stands, or a new one. `view` is what a guest
  // believes that is restored from a snapshot (docs/clones.md).
  grpc::Status CreateTap(const std::string& vm, const std::string& iface, svnet::v1::Tap* tap,
                         const std::optional<svnet::v1::GuestView>& view = std::nullopt);

  // For the guest's kernel command line.
  grpc::Status GetBootArgs(const std::string& tap_name, std::string* boot_args);

  // OK if it is already gone.
  grpc::Status RemoveTap(const std::string& tap_name);

 private:
  using Stub = svnet::v1::NetworkService::Stub;

  template <typename Request, typename Response>
  grpc::Status Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response* response);

  std::unique_ptr<Stub> stub_;
};

// Why svnetd refused. ERROR_REASON_UNSPECIFIED if it was not svnetd who did (no svnetd, a
// deadline), or for a reason that is newer than this program.
svnet::v1::ErrorReason ReasonOf(const grpc::Status& status);
