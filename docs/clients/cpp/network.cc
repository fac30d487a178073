#include "network.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <thread>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace v1 = svnet::v1;
using std::chrono::milliseconds;
using std::chrono::system_clock;

namespace {

constexpr milliseconds kCallTimeout(5'000);
constexpr milliseconds kPatience(10'000);
constexpr milliseconds kFirstPause(100);
constexpr milliseconds kLongestPause(1'000);

std::shared_ptr<grpc::Channel> Connect(const std::string& socket) {
  grpc::ChannelArguments arguments;
  // By default gRPC lets 1 s and more pass before it tries to connect again.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstPause.count());
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kLongestPause.count());
  // A path is no authority (RFC 3986), and some versions of gRPC take it for one.
  arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");
  return grpc::CreateCustomChannel("unix:" + socket, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

Network::Network(const std::string& socket) : stub_(v1::NetworkService::NewStub(Connect(socket))) {}

template <typename Request, typename Response>
grpc::Status Network::Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                        Response*),
                           const Request& request, Response* response) {
  const auto give_up = system_clock::now() + kPatience;
  for (milliseconds pause = kFirstPause;; pause = std::min(2 * pause, kLongestPause)) {
    grpc::ClientContext context;
    context.set_deadline(system_clock::now() + kCallTimeout);
    const grpc::Status status = (stub_.get()->*method)(&context, request, response);
    if (status.error_code() != grpc::StatusCode::UNAVAILABLE) return status;
    if (system_clock::now() + pause > give_up) return status;
    std::cerr << "no svnetd yet: " << status.error_message() << "\n";
    std::this_thread::sleep_for(pause);
  }
}

grpc::Status Network::CreateTap(const std::string& vm, const std::string& iface, v1::Tap* tap,
                                const std::optional<v1::GuestView>& view) {
  v1::CreateTapRequest request;
  request.set_vm_id(vm);
  request.set_iface_id(iface);
  if (view.has_value()) *request.mutable_guest_view() = *view;
  v1::CreateTapResponse response;
  grpc::Status status = Call(&Stub::CreateTap, request, &response);
  *tap = response.tap();
  return status;
}

grpc::Status Network::GetBootArgs(const std::string& tap_name, std::string* boot_args) {
  v1::GetBootArgsRequest request;
  request.set_tap_name(tap_name);
  v1::GetBootArgsResponse response;
  grpc::Status status = Call(&Stub::GetBootArgs, request, &response);
  *boot_args = response.boot_args();
  return status;
}

grpc::Status Network::RemoveTap(const std::string& tap_name) {
  v1::RemoveTapRequest request;
  request.set_tap_name(tap_name);
  v1::RemoveTapResponse response;
  return Call(&Stub::RemoveTap, request, &response);
}

v1::ErrorReason ReasonOf(const grpc::Status& status) {
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return v1::ERROR_REASON_UNSPECIFIED;
  for (const google::protobuf::Any& detail : details.details()) {
    google::rpc::ErrorInfo info;
    v1::ErrorReason reason;
    if (detail.UnpackTo(&info) && info.domain() == "svnet" &&
        v1::ErrorReason_Parse(info.reason(), &reason)) {
      return reason;
    }
  }
  return v1::ERROR_REASON_UNSPECIFIED;
}
