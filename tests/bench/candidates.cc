#include "tests/bench/candidates.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <sched.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/bench/bench.h"
#include "tests/sandbox/sandbox.h"

namespace svnet::bench {
namespace {

constexpr char kBridge[] = "svbr0";
constexpr uint32_t kFloorGroup = 4711;
constexpr uint32_t kFirstAddress = 0x0a1e0002;  // of guests

// Several uids may have all that fits on a bridge.
constexpr char kConfig[] = R"(subnet = "10.30.0.0/16"
[callers]
allow_users = ["*"]
[limits]
taps_per_user = 20000
connections_per_user = 1000
)";

std::string TapName(Number number) { return absl::StrFormat("tap%04d", number); }

// An alias as long as svnetd's.
std::string FloorAlias(Number number) {
  return absl::StrFormat(
      "svnet2 n=default v=%04d-vm i=eth0 a=0a1e%04x m=0229a32f41c8 q=1 o=rs t=tro8w0 e=1", number,
      number);
}

std::string VmId(Number number) { return absl::StrFormat("%04d-vm", number); }

// Long enough for a thousand removals, one after the other.
constexpr std::chrono::minutes kCallTimeout(2);

template <typename Request, typename Response>
Response Call(testing::Client& caller,
              grpc::Status (v1::NetworkService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                               Response*),
              const Request& request) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
  Response response;
  const grpc::Status status = (caller.stub().*method)(&context, request, &response);
  errno = 0;
  if (!status.ok()) Fail(absl::StrCat("svnetd: ", status.error_message()));
  return response;
}

v1::CreateTapRequest RequestOf(Number number) {
  v1::CreateTapRequest request;
  request.set_vm_id(VmId(number));
  request.set_iface_id("eth0");
  return request;
}

}  // namespace

v1::GuestView SnapshotView() {
  v1::GuestView view;
  view.set_address("10.99.0.2");
  view.set_gateway("10.99.0.1");
  view.set_mac("06:00:ac:10:00:02");
  return view;
}

Candidate::Candidate(std::string name) : name_(std::move(name)) {
  testing::EnterFreshNetworkNamespace();
  namespace_ = UniqueFd(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!namespace_.valid()) Fail("/proc/thread-self/ns/net");
}

void Candidate::Enter() const {
  if (setns(namespace_.get(), CLONE_NEWNET) != 0) Fail("setns");
}

FloorCandidate::FloorCandidate(std::string name, NetworkKind kind)
    : Candidate(std::move(name)),
      bridge_(kind == NetworkKind::kBridge ? floor_.MakeBridge(kBridge) : 0) {}

void FloorCandidate::Create(Number number) {
  const uint32_t guest = bridge_ != 0 ? 0 : htonl(kFirstAddress + static_cast<uint32_t>(number));
  floor_.CreateTap({.name = TapName(number),
                    .owner = kFirstUid,
                    .alias = FloorAlias(number),
                    .group = kFloorGroup,
                    .bridge = bridge_,
                    .routed_to = guest});
}

void FloorCandidate::Remove(Number number) { floor_.DeleteLink(TapName(number)); }

void FloorCandidate::RemoveAll() { floor_.DeleteGroup(kFloorGroup); }

SvnetdCandidate::SvnetdCandidate(std::string name, std::string program,
                                 std::vector<std::string> flags, const std::string& networks)
    : Candidate(std::move(name)),
      program_(std::move(program)),
      flags_(std::move(flags)),
      config_(absl::StrCat(kConfig, networks)) {
  // There are several svnetds, each in a network namespace of its own, and one file system. An
  // earlier version has no such folder.
  const std::string help = testing::Shell(absl::StrCat(program_, " --help"));
  if (absl::StrContains(help, "--state-dir")) {
    flags_.push_back(absl::StrCat("--state-dir=", folder_.path(), "/state"));
  }
  Start();
}

double SvnetdCandidate::Start() {
  const Stopwatch stopwatch;
  daemon_ =
      std::make_unique<testing::Daemon>(folder_.path(), flags_, config_, std::vector<std::string>(),
                                        testing::Supervision{.program = program_});
  const double time = stopwatch.microseconds();
  errno = 0;
  if (!daemon_->running()) Fail(absl::StrCat("svnetd: ", daemon_->log()));
  caller_ = Connect(kFirstUid);
  return time;
}

void SvnetdCandidate::Stop() {
  caller_.reset();
  errno = 0;
  if (daemon_->Stop(SIGTERM) != 0) Fail(absl::StrCat("svnetd: ", daemon_->log()));
}

std::unique_ptr<testing::Client> SvnetdCandidate::Connect(uid_t uid) const {
  return std::make_unique<testing::Client>(daemon_->socket(), uid);
}

void SvnetdCandidate::Create(Number number) {
  v1::CreateTapRequest request = RequestOf(number);
  if (view_) *request.mutable_guest_view() = *view_;
  Call(*caller_, &v1::NetworkService::Stub::CreateTap, request);
}

void SvnetdCandidate::CreateBy(testing::Client& caller, Number number) {
  Call(caller, &v1::NetworkService::Stub::CreateTap, RequestOf(number));
}

void SvnetdCandidate::RemoveBy(testing::Client& caller, Number number) {
  v1::RemoveTapRequest request;
  request.set_vm_id(VmId(number));
  request.set_iface_id("eth0");
  errno = 0;
  if (!Call(caller, &v1::NetworkService::Stub::RemoveTap, request).removed()) {
    Fail("RemoveTap: there was no TAP");
  }
}

void SvnetdCandidate::ListBy(testing::Client& caller) {
  v1::ListTapsRequest request;
  do {
    const auto page = Call(caller, &v1::NetworkService::Stub::ListTaps, request);
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
}

void SvnetdCandidate::GetBootArgsBy(testing::Client& caller, Number number) {
  v1::GetBootArgsRequest request;
  request.set_vm_id(VmId(number));
  request.set_iface_id("eth0");
  Call(caller, &v1::NetworkService::Stub::GetBootArgs, request);
}

void SvnetdCandidate::CleanupBy(testing::Client& caller, v1::CleanupScope scope) {
  v1::CleanupRequest request;
  request.set_scope(scope);
  Call(caller, &v1::NetworkService::Stub::Cleanup, request);
}

}  // namespace svnet::bench
