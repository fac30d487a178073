#include "tests/system/client.h"

#include <fcntl.h>
#include <grpcpp/create_channel_posix.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tests/system/borrowed_ids.h"

namespace svnet::testing {
namespace {

int Connect(const std::string& path, int type) {
  const int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
  sockaddr_un address = {.sun_family = AF_UNIX};
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  const int result = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  // Refused by a svnetd that has gone: then what is called fails, and its test says so.
  if (result != 0 && errno != ECONNREFUSED) {
    ADD_FAILURE() << "connect " << path << ": " << strerror(errno);
  }
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

// svnetd is there, or the test fails: nothing here should take this long.
void SetDeadline(grpc::ClientContext* context) {
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
}

v1::CreateTapRequest RequestOf(const std::string& vm, const std::string& iface) {
  v1::CreateTapRequest request;
  request.set_vm_id(vm);
  request.set_iface_id(iface);
  return request;
}

template <typename Request, typename Response>
Response Must(v1::NetworkService::Stub& stub,
              grpc::Status (v1::NetworkService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                               Response*),
              const Request& request) {
  grpc::ClientContext context;
  SetDeadline(&context);
  Response response;
  const grpc::Status status = (stub.*method)(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response;
}

}  // namespace

UniqueFd ConnectAs(const std::string& socket, const RunAs& who, int type) {
  const BorrowedIds ids(who);
  return UniqueFd(Connect(socket, type));
}

Client::Client(const std::string& socket, const RunAs& who) {
  channel_ = grpc::CreateInsecureChannelFromFd("svnetd", ConnectAs(socket, who).Release());
  stub_ = v1::NetworkService::NewStub(channel_);
}

Client::Answer Client::Create(const v1::CreateTapRequest& request) {
  grpc::ClientContext context;
  SetDeadline(&context);
  v1::CreateTapResponse response;
  const grpc::Status status = stub_->CreateTap(&context, request, &response);
  return {.status = status, .tap = response.tap()};
}

Client::Answer Client::Create(const std::string& vm, const std::string& iface) {
  return Create(RequestOf(vm, iface));
}

v1::Tap Client::MustCreate(const std::string& vm, const std::string& iface) {
  return MustCreate(RequestOf(vm, iface));
}

v1::Tap Client::MustCreate(const v1::CreateTapRequest& request) {
  const Answer answer = Create(request);
  EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
  return answer.tap;
}

std::vector<v1::Tap> Client::MustList() {
  std::vector<v1::Tap> taps;
  v1::ListTapsRequest request;
  do {
    const auto page = Must(*stub_, &v1::NetworkService::Stub::ListTaps, request);
    taps.insert(taps.end(), page.taps().begin(), page.taps().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return taps;
}

v1::Tap Client::MustGet(const std::string& tap_name) {
  v1::GetTapRequest request;
  request.set_tap_name(tap_name);
  return Must(*stub_, &v1::NetworkService::Stub::GetTap, request).tap();
}

std::string Client::MustGetBootArgs(const std::string& tap_name) {
  v1::GetBootArgsRequest request;
  request.set_tap_name(tap_name);
  return Must(*stub_, &v1::NetworkService::Stub::GetBootArgs, request).boot_args();
}

v1::Tap Client::MustUpdate(const v1::UpdateTapRequest& request) {
  return Must(*stub_, &v1::NetworkService::Stub::UpdateTap, request).tap();
}

v1::GetNetworkResponse Client::MustGetNetwork(const std::string& network) {
  v1::GetNetworkRequest request;
  request.set_network(network);
  return Must(*stub_, &v1::NetworkService::Stub::GetNetwork, request);
}

v1::CleanupResponse Client::MustCleanup(v1::CleanupScope scope, const std::string& network) {
  v1::CleanupRequest request;
  request.set_scope(scope);
  request.set_network(network);
  return Must(*stub_, &v1::NetworkService::Stub::Cleanup, request);
}

bool Client::MustRemove(const v1::RemoveTapRequest& request) {
  return Must(*stub_, &v1::NetworkService::Stub::RemoveTap, request).removed();
}

bool Client::MustRemove(const std::string& tap_name) {
  v1::RemoveTapRequest request;
  request.set_tap_name(tap_name);
  return MustRemove(request);
}

Watcher::Watcher(Client& client) {
  SetDeadline(&context_);
  reader_ = client.stub().WatchTaps(&context_, {});
  reader_->WaitForInitialMetadata();  // from now on nothing is missed
}

Watcher::~Watcher() { context_.TryCancel(); }

v1::TapEvent Watcher::Read() {
  v1::TapEvent event;
  reader_->Read(&event);
  return event;
}

v1::TapEvent Watcher::Next() {
  v1::TapEvent event;
  do {
    event = Read();
  } while (event.type() == v1::TAP_EVENT_TYPE_SNAPSHOT_END);
  return event;
}

v1::TapEvent Watcher::WaitFor(v1::TapEventType type, const std::string& tap) {
  while (true) {
    const v1::TapEvent event = Read();
    if (event.type() == type && (tap.empty() || event.tap().tap_name() == tap)) return event;
    if (event.type() != v1::TAP_EVENT_TYPE_UNSPECIFIED) continue;
    ADD_FAILURE() << "no " << v1::TapEventType_Name(type) << " " << tap;
    return event;
  }
}

std::string ReasonOf(const grpc::Status& status) {
  google::rpc::Status details;
  google::rpc::ErrorInfo info;
  if (!details.ParseFromString(status.error_details()) || details.details_size() != 1 ||
      !details.details(0).UnpackTo(&info)) {
    return "";
  }
  EXPECT_EQ(details.code(), static_cast<int>(status.error_code()));
  EXPECT_EQ(details.message(), status.error_message());
  EXPECT_EQ(info.domain(), "svnet");
  return info.reason();
}

}  // namespace svnet::testing
