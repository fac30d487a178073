// Commands on leases, one and several, of the caller and of others, against a svnetd of the test's
// own that takes the caller for an administrator.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/server_posix.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/commands.h"
#include "client/wait.h"
#include "client/watch.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace svnet::client {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// Unknown to the account database.
constexpr uint32_t kAlice = 4294900001;
constexpr uint32_t kBob = 4294900002;

grpc::Status Refusal(grpc::StatusCode code, const std::string& reason) {
  google::rpc::ErrorInfo info;
  info.set_domain("svnet");
  info.set_reason(reason);
  google::rpc::Status details;
  details.add_details()->PackFrom(info);
  return {code, "refused", details.SerializeAsString()};
}

v1::Tap MakeTap(const std::string& vm, uint32_t owner) {
  v1::Tap tap;
  tap.set_tap_name(absl::StrCat("sv", vm, owner % 10));
  tap.set_vm_id(vm);
  tap.set_iface_id("eth0");
  tap.set_owner_uid(owner);
  return tap;
}

v1::TapEvent Event(v1::TapEventType type, const v1::Tap& tap, uint64_t sequence) {
  v1::TapEvent event;
  event.set_type(type);
  event.set_sequence(sequence);
  if (!tap.tap_name().empty()) *event.mutable_tap() = tap;
  return event;
}

class Svnetd final : public v1::NetworkService::Service {
 public:
  void Add(const std::string& vm, uint32_t owner, bool attached = false) {
    taps_.push_back(MakeTap(vm, owner));
    taps_.back().set_attached(attached);
  }
  void AddTo(const std::string& network, const std::string& vm, uint32_t owner) {
    Add(vm, owner);
    taps_.back().set_network(network);
  }
  // Leases of that VM are refused.
  void Refuse(const std::string& vm) { refused_ = vm; }
  // What the next streams send after the snapshot, before they end.
  void Send(std::vector<v1::TapEvent> events) { streams_.push_back(std::move(events)); }
  std::vector<std::string> vms() const {
    std::vector<std::string> vms;
    for (const v1::Tap& tap : taps_) vms.push_back(tap.vm_id());
    return vms;
  }

  grpc::Status CreateTap(grpc::ServerContext*, const v1::CreateTapRequest* request,
                         v1::CreateTapResponse* response) override {
    if (request->vm_id() == refused_) {
      return Refusal(grpc::StatusCode::RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED");
    }
    Add(request->vm_id(), geteuid());
    *response->mutable_tap() = taps_.back();
    return grpc::Status::OK;
  }
  grpc::Status GetTap(grpc::ServerContext*, const v1::GetTapRequest* request,
                      v1::GetTapResponse* response) override {
    const auto tap = Find(*request);
    if (tap == taps_.end()) return Refusal(grpc::StatusCode::NOT_FOUND, "TAP_NOT_FOUND");
    *response->mutable_tap() = *tap;
    return grpc::Status::OK;
  }
  grpc::Status GetBootArgs(grpc::ServerContext*, const v1::GetBootArgsRequest* request,
                           v1::GetBootArgsResponse* response) override {
    const auto tap = Find(*request);
    if (tap == taps_.end()) return Refusal(grpc::StatusCode::NOT_FOUND, "TAP_NOT_FOUND");
    response->set_boot_args("ip=" + tap->tap_name());
    return grpc::Status::OK;
  }
  grpc::Status RemoveTap(grpc::ServerContext*, const v1::RemoveTapRequest* request,
                         v1::RemoveTapResponse* response) override {
    const auto tap = Find(*request);
    response->set_removed(tap != taps_.end());
    if (tap != taps_.end()) taps_.erase(tap);
    return grpc::Status::OK;
  }
  grpc::Status Cleanup(grpc::ServerContext*, const v1::CleanupRequest*,
                       v1::CleanupResponse* response) override {
    const auto is_own = [](const v1::Tap& tap) { return tap.owner_uid() == geteuid(); };
    const auto end = std::remove_if(taps_.begin(), taps_.end(), is_own);
    response->set_taps_removed(static_cast<uint32_t>(taps_.end() - end));
    taps_.erase(end, taps_.end());
    return grpc::Status::OK;
  }
  // No quota: the caller is an administrator.
  grpc::Status GetNetwork(grpc::ServerContext*, const v1::GetNetworkRequest*,
                          v1::GetNetworkResponse*) override {
    return grpc::Status::OK;
  }
  grpc::Status ListTaps(grpc::ServerContext*, const v1::ListTapsRequest* request,
                        v1::ListTapsResponse* response) override {
    for (const v1::Tap& tap : taps_) {
      const bool is_elsewhere = !tap.network().empty() && !request->network().empty() &&
                                tap.network() != request->network();
      if (!is_elsewhere) *response->add_taps() = tap;
    }
    return grpc::Status::OK;
  }
  grpc::Status WatchTaps(grpc::ServerContext*, const v1::WatchTapsRequest* request,
                         grpc::ServerWriter<v1::TapEvent>* events) override {
    uint64_t sequence = 0;
    for (const v1::Tap& tap : taps_) {
      if (!request->network().empty() && tap.network() != request->network()) continue;
      events->Write(Event(v1::TAP_EVENT_TYPE_ADDED, tap, ++sequence));
    }
    events->Write(Event(v1::TAP_EVENT_TYPE_SNAPSHOT_END, {}, ++sequence));
    if (streams_.empty()) return {grpc::StatusCode::UNAVAILABLE, "svnetd ends"};
    for (v1::TapEvent& event : streams_.front()) {
      event.set_sequence(++sequence);
      events->Write(event);
    }
    streams_.erase(streams_.begin());
    return {grpc::StatusCode::UNAVAILABLE, "svnetd ends"};
  }

 private:
  template <typename R>
  std::vector<v1::Tap>::iterator Find(const R& request) {
    const uint32_t owner = request.has_owner_uid() ? request.owner_uid() : geteuid();
    return std::find_if(taps_.begin(), taps_.end(), [&](const v1::Tap& tap) {
      if (!request.tap_name().empty()) return tap.tap_name() == request.tap_name();
      return tap.vm_id() == request.vm_id() && tap.iface_id() == request.iface_id() &&
             tap.owner_uid() == owner;
    });
  }

  std::vector<v1::Tap> taps_;
  std::string refused_;
  std::vector<std::vector<v1::TapEvent>> streams_;
};

class LeasesTest : public ::testing::Test {
 protected:
  LeasesTest() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&svnetd_);
    server_ = builder.BuildAndStart();
  }
  ~LeasesTest() override { server_->Shutdown(); }

  Connection Connect() {
    int pair[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    grpc::AddInsecureChannelFromFd(server_.get(), pair[0]);
    return Connection(UniqueFd(pair[1]), "/the/socket", absl::Seconds(30));
  }

  Report Run(const Request& request, Format format = Format::kPeople) {
    Connection svnetd = Connect();
    return RunCommand(svnetd, request, format);
  }

  Outcome WaitFor(const std::string& vm, LeaseState state,
                  absl::Duration timeout = absl::Seconds(30)) {
    const auto open = [this] { return Result<Connection>(Connect()); };
    const auto say = [this](const std::string& text) { said_ += text + "\n"; };
    return Wait(open, {.which = {.vm = vm}, .state = state}, timeout, Format::kPeople, say);
  }

  // Prints until `lines` lines are there, then nobody reads any more.
  Outcome WatchLines(const WatchRun& watch, int lines) {
    const auto open = [this] { return Result<Connection>(Connect()); };
    const auto say = [this](const std::string& text) { said_ += text + "\n"; };
    const auto print = [&](const std::string& text) {
      printed_ += text;
      const auto all = std::count(printed_.begin(), printed_.end(), '\n');
      return all < lines ? absl::OkStatus() : absl::CancelledError("write: Broken pipe");
    };
    return Watch(watch, Format::kPeople, absl::Seconds(30),
                 {.open = open, .print = print, .say = say, .erase = ""});
  }

  Svnetd svnetd_;
  std::string printed_;
  std::string said_;
  std::unique_ptr<grpc::Server> server_;
};

LeaseNames Vms(std::vector<std::string> vms, std::optional<uint32_t> owner = std::nullopt) {
  return {.vms = std::move(vms), .iface = "eth0", .tap = "", .owner = owner};
}

CreateLeases CreateAll(std::vector<std::string> vms) {
  CreateLeases create;
  create.vms = std::move(vms);
  create.request.set_iface_id("eth0");
  return create;
}

TEST_F(LeasesTest, AnAdministratorActsOnTheOnlyLeaseOfThatNameThatItSees) {
  svnetd_.Add("vm1", kAlice);
  EXPECT_THAT(Run(ShowLeases{Vms({"vm1"}), {}}).standard_output,
              HasSubstr("owner          429490"));
  EXPECT_EQ(Run(BootArgsOfLeases{Vms({"vm1"}), {}}).standard_output, "ip=svvm11\n");
  EXPECT_EQ(Run(RemoveLeases{Vms({"vm1"})}).standard_output, "removed vm1 eth0 of 4294900001\n");
  EXPECT_EQ(svnetd_.vms().size(), 0u);
}

TEST_F(LeasesTest, OwnLeasesComeBeforeThoseOfOthers) {
  svnetd_.Add("vm1", kAlice);
  svnetd_.Add("vm1", geteuid());
  EXPECT_EQ(Run(RemoveLeases{Vms({"vm1"})}).standard_output, "removed vm1 eth0\n");
  EXPECT_EQ(svnetd_.vms().size(), 1u);
}

TEST_F(LeasesTest, NamesTheOwnersIfSeveralHaveSuchALease) {
  svnetd_.Add("vm1", kAlice);
  svnetd_.Add("vm1", kBob);
  for (const Request& request :
       {Request(ShowLeases{Vms({"vm1"}), {}}), Request(BootArgsOfLeases{Vms({"vm1"}), {}}),
        Request(RemoveLeases{Vms({"vm1"})})}) {
    const Report report = Run(request);
    EXPECT_EQ(report.exit_code, ExitCode::kRefused);
    EXPECT_THAT(report.standard_error,
                AllOf(HasSubstr("several users have a vm1 eth0: 4294900001, 4294900002"),
                      HasSubstr("--owner 4294900001")));
  }
  EXPECT_EQ(Run(RemoveLeases{Vms({"vm1"}, kBob)}).standard_output,
            "removed vm1 eth0 of 4294900002\n");
  EXPECT_EQ(svnetd_.vms().size(), 1u);
}

TEST_F(LeasesTest, RemovingWhatDoesNotExistSaysSoAndSucceeds) {
  const Report report = Run(RemoveLeases{Vms({"vm1"})});
  EXPECT_EQ(report.exit_code, ExitCode::kDone);
  EXPECT_EQ(report.standard_output, "vm1 eth0 does not exist: nothing to remove\n");
  EXPECT_EQ(Run(RemoveLeases{Vms({"vm1"})}, Format::kJson).standard_output,
            "{\n \"removed\": false\n}\n");
}

TEST_F(LeasesTest, NamesTheInterfacesThatTheVmHasInstead) {
  svnetd_.Add("vm1", kAlice);
  LeaseNames eth1 = Vms({"vm1"});
  eth1.iface = "eth1";
  EXPECT_EQ(Run(RemoveLeases{eth1}).standard_output,
            "vm1 eth1 does not exist: nothing to remove\nvm1 has eth0: --iface eth0\n");
  EXPECT_EQ(Run(ShowLeases{eth1, {}}).standard_error,
            "svnetctl: there is no TAP for vm1 eth1 [TAP_NOT_FOUND]\nvm1 has eth0: --iface eth0\n");
}

TEST_F(LeasesTest, AFailureOfOneLeaseHidesNoOther) {
  svnetd_.Refuse("vm2");
  const Report created = Run(CreateAll({"vm1", "vm2", "vm3"}));
  EXPECT_EQ(created.exit_code, ExitCode::kRefused);
  EXPECT_THAT(created.standard_output, AllOf(HasSubstr("\nvm1 "), HasSubstr("\nvm3 ")));
  EXPECT_EQ(created.standard_error, "svnetctl: vm2 eth0: refused [QUOTA_EXCEEDED]\n");
  const Report shown = Run(ShowLeases{Vms({"vm3", "none", "vm1"}), {}});
  EXPECT_EQ(shown.exit_code, ExitCode::kRefused);
  EXPECT_THAT(shown.standard_output, HasSubstr("attached       no\n\ntap "));
  EXPECT_THAT(shown.standard_error, StartsWith("svnetctl: there is no TAP for none eth0 ["));
  EXPECT_EQ(Run(BootArgsOfLeases{Vms({"vm1", "vm3"}), {}}).standard_output,
            absl::StrCat("vm1 ip=svvm1", geteuid() % 10, "\nvm3 ip=svvm3", geteuid() % 10, "\n"));
  EXPECT_EQ(Run(RemoveLeases{Vms({"vm1", "vm2", "vm3"})}).standard_output,
            "removed vm1 eth0\n"
            "vm2 eth0 does not exist: nothing to remove\n"
            "removed vm3 eth0\n");
}

TEST_F(LeasesTest, JsonIsTheTapForOneAndTapsForSeveral) {
  svnetd_.Refuse("vm2");
  EXPECT_THAT(Run(CreateAll({"vm1"}), Format::kJson).standard_output,
              StartsWith("{\n \"tapName\": \"svvm1"));
  EXPECT_THAT(Run(ShowLeases{Vms({"vm1"}), {}}, Format::kJson).standard_output,
              StartsWith("{\n \"tapName\": \"svvm1"));
  EXPECT_THAT(Run(CreateAll({"vm2"}), Format::kJson).standard_output,
              StartsWith("{\n \"error\": {\n  \"code\": \"RESOURCE_EXHAUSTED\""));
  EXPECT_THAT(
      Run(CreateAll({"vm2", "vm3"}), Format::kJson).standard_output,
      AllOf(StartsWith("{\n \"taps\": [\n  {\"tapName\":\"svvm3"),
            HasSubstr("\"errors\": [\n  {\"vmId\":\"vm2\",\"ifaceId\":\"eth0\",\"code\": ")));
  EXPECT_EQ(Run(RemoveLeases{Vms({"vm1", "vm2"})}, Format::kJson).standard_output,
            "{\n \"taps\": [\n"
            "  {\"vmId\":\"vm1\",\"ifaceId\":\"eth0\",\"removed\":true},\n"
            "  {\"vmId\":\"vm2\",\"ifaceId\":\"eth0\",\"removed\":false}\n"
            " ]\n}\n");
}

TEST_F(LeasesTest, ListsVmsInNaturalOrderAndByFilters) {
  svnetd_.Add("vm10", kAlice);
  svnetd_.Add("vm2", kBob, true);
  svnetd_.Add("vm2", kAlice);
  ListLeases list = {.request = {}, .owner = {}, .attached = {}, .format = ListFormat::kName};
  EXPECT_EQ(Run(list).standard_output, "vm2\nvm10\n");
  list.attached = true;
  EXPECT_EQ(Run(list).standard_output, "vm2\n");
  list.attached = false;
  list.owner = kBob;
  EXPECT_EQ(Run(list).standard_output, "");
  list = {.request = {}, .owner = kAlice, .attached = {}, .format = ListFormat::kTable};
  list.request.set_vm_id("vm2");
  EXPECT_THAT(Run(list).standard_output, AllOf(HasSubstr("vm2"), Not(HasSubstr("vm10"))));
  list.format = ListFormat::kYaml;
  EXPECT_THAT(Run(list).standard_output, StartsWith("taps:\n  - tapName: \"svvm21\"\n"));
  list.format = ListFormat::kJson;
  EXPECT_THAT(Run(list, Format::kJson).standard_output, HasSubstr("\"tapName\": \"svvm21\""));
}

TEST_F(LeasesTest, TheStatusOfAnEarlierSvnetdIsThatOfItsOnlyNetwork) {
  const Report report = Run(v1::GetNetworkRequest());
  EXPECT_EQ(report.exit_code, ExitCode::kDone);
  EXPECT_THAT(report.standard_output, Not(HasSubstr("network  ")));
}

TEST_F(LeasesTest, CleanupTellsAnAdministratorWhoseLeasesRemain) {
  svnetd_.Add("vm1", kAlice);
  svnetd_.Add("vm2", kAlice);
  svnetd_.Add("vm3", kBob);
  EXPECT_THAT(Run(CleanupLeases()).standard_output,
              AllOf(StartsWith("nothing to remove\n"), HasSubstr("4294900001 (2), 4294900002 (1)"),
                    HasSubstr("cleanup --owner 4294")));
  EXPECT_EQ(svnetd_.vms().size(), 3u);
  CleanupLeases alices = {.request = {}, .owner = kAlice, .dry_run = true};
  EXPECT_THAT(Run(alices).standard_output,
              AllOf(StartsWith("would remove:\n"), HasSubstr("vm2"), Not(HasSubstr("vm3"))));
  EXPECT_EQ(svnetd_.vms().size(), 3u);
  alices.dry_run = false;
  EXPECT_EQ(Run(alices).standard_output, "removed 2 TAPs\n");
  EXPECT_EQ(svnetd_.vms(), std::vector<std::string>{"vm3"});
}

TEST_F(LeasesTest, ADryRunOfCleanupRemovesNothing) {
  svnetd_.Add("vm1", geteuid());
  svnetd_.Add("vm2", kAlice);
  CleanupLeases cleanup = {.request = {}, .owner = {}, .dry_run = true};
  EXPECT_THAT(Run(cleanup).standard_output, AllOf(HasSubstr("\nvm1 "), Not(HasSubstr("\nvm2 "))));
  cleanup.request.set_scope(v1::CLEANUP_SCOPE_NETWORK);
  EXPECT_THAT(Run(cleanup).standard_output,
              AllOf(HasSubstr("\nvm1 "), HasSubstr("\nvm2 "), HasSubstr("NAT rules")));
  EXPECT_THAT(Run(cleanup, Format::kJson).standard_output, HasSubstr("\"taps\": ["));
  EXPECT_EQ(svnetd_.vms().size(), 2u);
}

TEST_F(LeasesTest, CleansUpOneNetwork) {
  svnetd_.AddTo("default", "vm1", kAlice);
  svnetd_.AddTo("red", "vm2", kAlice);
  EXPECT_THAT(Run(CleanupLeases()).standard_output, HasSubstr("or --network --of '*' for all\n"));
  CleanupLeases cleanup = {.request = {}, .owner = {}, .dry_run = true};
  cleanup.request.set_scope(v1::CLEANUP_SCOPE_NETWORK);
  EXPECT_THAT(Run(cleanup).standard_output, AllOf(HasSubstr("\nvm1 "), Not(HasSubstr("\nvm2 ")),
                                                  HasSubstr("of the network default\n")));
  cleanup.request.set_network("*");
  EXPECT_THAT(Run(cleanup).standard_output,
              AllOf(HasSubstr("\nvm1 "), HasSubstr("\nvm2 "), HasSubstr("of all networks\n")));
  CleanupLeases alices = {.request = {}, .owner = kAlice, .dry_run = false};
  alices.request.set_network("red");
  EXPECT_EQ(Run(alices).standard_output, "removed 1 TAP\n");
  EXPECT_EQ(svnetd_.vms(), std::vector<std::string>{"vm1"});
}

TEST_F(LeasesTest, AWatchConnectsAgainAndSaysSo) {
  svnetd_.Add("vm1", kAlice);
  const Outcome end = WatchLines(WatchRun(), 2);
  EXPECT_EQ(std::get<std::string>(end), "") << "that nobody reads is no failure";
  EXPECT_EQ(std::count(printed_.begin(), printed_.end(), '\n'), 2);
  EXPECT_THAT(said_, HasSubstr("; connecting again\n"));
}

TEST_F(LeasesTest, AWatchWithoutReconnectEndsWithSvnetd) {
  const Outcome end = WatchLines({.request = {}, .reconnect = false, .list = {}}, 100);
  EXPECT_EQ(std::get<Failure>(end).exit_code, ExitCode::kNoDaemon);
  EXPECT_EQ(said_, "");
}

TEST_F(LeasesTest, AWatchedListIsPrintedAfterEachChange) {
  svnetd_.Add("vm10", kAlice);
  svnetd_.Add("vm2", kAlice);
  svnetd_.Send({Event(v1::TAP_EVENT_TYPE_REMOVED, MakeTap("vm10", kAlice), 0),
                Event(v1::TAP_EVENT_TYPE_REPAIRED, {}, 0)});
  const ListLeases names = {
      .request = {}, .owner = {}, .attached = {}, .format = ListFormat::kName};
  WatchLines({.request = {}, .reconnect = true, .list = names}, 4);
  EXPECT_EQ(printed_, "vm2\nvm10\n\nvm2\n");
}

TEST_F(LeasesTest, WatchesOneNetworkAlsoAfterARestart) {
  svnetd_.AddTo("default", "vm1", kAlice);
  svnetd_.AddTo("red", "vm2", kAlice);
  WatchRun watch;
  watch.request.set_network("red");
  WatchLines(watch, 2);
  EXPECT_THAT(said_, HasSubstr("connected again"));
  EXPECT_THAT(printed_, AllOf(HasSubstr("  vm2 eth0  "), Not(HasSubstr("vm1"))));
}

TEST_F(LeasesTest, WaitsForAStateOverARestart) {
  svnetd_.Add("vm1", kAlice);
  v1::Tap attached = MakeTap("vm1", kAlice);
  attached.set_attached(true);
  svnetd_.Send({});
  svnetd_.Send({Event(v1::TAP_EVENT_TYPE_ATTACHED, attached, 0)});
  EXPECT_EQ(std::get<std::string>(WaitFor("vm1", LeaseState::kAttached)), "vm1 eth0 is attached\n");
  EXPECT_THAT(said_, HasSubstr("connecting again"));
  EXPECT_EQ(std::get<std::string>(WaitFor("vm1", LeaseState::kDetached)), "vm1 eth0 is detached\n");
  EXPECT_EQ(std::get<std::string>(WaitFor("none", LeaseState::kRemoved)), "none eth0 is removed\n");
}

TEST_F(LeasesTest, AWaitForALeaseOfSeveralOwnersNamesThem) {
  svnetd_.Add("vm1", kAlice);
  svnetd_.Add("vm1", kBob);
  EXPECT_THAT(std::get<Failure>(WaitFor("vm1", LeaseState::kAttached)).message,
              HasSubstr("4294900001, 4294900002"));
}

}  // namespace
}  // namespace svnet::client
