// The commands, against a server at the other end of a pair of sockets.
#include "client/commands.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/server_posix.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/watch.h"

namespace svnet::client {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// Has two pages of TAPs, and refuses everything else.
class Svnetd final : public v1::NetworkService::Service {
 public:
  grpc::Status ListTaps(grpc::ServerContext*, const v1::ListTapsRequest* request,
                        v1::ListTapsResponse* response) override {
    ++pages_;
    response->add_taps()->set_tap_name(absl::StrCat("tap", pages_));
    if (endless_ || request->page_token().empty()) response->set_next_page_token("tap1");
    return grpc::Status::OK;
  }

  grpc::Status WatchTaps(grpc::ServerContext*, const v1::WatchTapsRequest*,
                         grpc::ServerWriter<v1::TapEvent>* events) override {
    v1::TapEvent event;
    event.set_type(v1::TAP_EVENT_TYPE_ADDED);
    event.mutable_tap()->set_tap_name("tap1");
    events->Write(event);
    v1::TapEvent end;
    end.set_type(v1::TAP_EVENT_TYPE_SNAPSHOT_END);
    events->Write(end);
    event.set_type(v1::TAP_EVENT_TYPE_ATTACHED);
    events->Write(event);
    return endless_ ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone") : grpc::Status::OK;
  }

  grpc::Status GetTap(grpc::ServerContext*, const v1::GetTapRequest* request,
                      v1::GetTapResponse* response) override {
    if (!knows_get_tap_) return grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "");
    response->mutable_tap()->set_tap_name(request->tap_name());
    response->mutable_tap()->set_generation(7);
    return grpc::Status::OK;
  }

  grpc::Status UpdateTap(grpc::ServerContext*, const v1::UpdateTapRequest* request,
                         v1::UpdateTapResponse* response) override {
    *response->mutable_tap() = request->tap();
    response->mutable_tap()->set_tap_name(request->tap_name());
    response->mutable_tap()->set_generation(8);
    return grpc::Status::OK;
  }

  grpc::Status GetNetwork(grpc::ServerContext*, const v1::GetNetworkRequest* request,
                          v1::GetNetworkResponse* response) override {
    if (request->network().empty()) return grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "");
    response->set_name(request->network());
    return grpc::Status::OK;
  }

  grpc::Status ListNetworks(grpc::ServerContext*, const v1::ListNetworksRequest*,
                            v1::ListNetworksResponse* response) override {
    response->add_networks()->set_name("default");
    response->add_networks()->set_name("red");
    return grpc::Status::OK;
  }

  grpc::Status CreateTap(grpc::ServerContext*, const v1::CreateTapRequest* request,
                         v1::CreateTapResponse* response) override {
    if (!knows_create_tap_) return grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "");
    ++calls_;
    if (request->vm_id() == "bad") return grpc::Status(grpc::StatusCode::ALREADY_EXISTS, "why");
    response->mutable_tap()->set_vm_id(request->vm_id());
    response->mutable_tap()->set_tap_name("tap-" + request->vm_id());
    response->set_created(true);
    return grpc::Status::OK;
  }

  grpc::Status CreateTaps(grpc::ServerContext* context, const v1::CreateTapsRequest* request,
                          v1::CreateTapsResponse* response) override {
    if (!knows_create_taps_) return grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "");
    const int before = calls_;
    for (const v1::CreateTapRequest& each : request->requests()) {
      v1::CreateTapsResult* result = response->add_results();
      v1::CreateTapResponse created;
      const grpc::Status status = CreateTap(context, &each, &created);
      result->set_created(created.created());
      if (status.ok()) *result->mutable_tap() = created.tap();
      if (status.ok()) continue;
      result->mutable_error()->set_code(status.error_code());
      result->mutable_error()->set_message(status.error_message());
    }
    calls_ = before + 1;
    return grpc::Status::OK;
  }

  void LearnCreateTap(bool several) {
    knows_create_tap_ = true;
    knows_create_taps_ = several;
  }
  int calls() const { return calls_; }
  void LearnGetTap() { knows_get_tap_ = true; }
  void MakeEndless() { endless_ = true; }

 private:
  int pages_ = 0;
  bool endless_ = false;
  bool knows_get_tap_ = false;
  bool knows_create_tap_ = false;
  bool knows_create_taps_ = false;
  int calls_ = 0;  // of CreateTap and CreateTaps
};

// What `watch` did.
struct Watched {
  Outcome end;
  std::string out;
};

class CommandsTest : public ::testing::Test {
 protected:
  CommandsTest() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&svnetd_);
    server_ = builder.BuildAndStart();
  }
  ~CommandsTest() override { server_->Shutdown(); }

  Connection Connect(absl::Duration timeout = absl::Seconds(30)) {
    int pair[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    grpc::AddInsecureChannelFromFd(server_.get(), pair[0]);
    return Connection(UniqueFd(pair[1]), "/the/socket", timeout);
  }

  // What svnetctl prints.
  Report Run(const Request& request, Format format = Format::kPeople) {
    Connection svnetd = Connect();
    return RunCommand(svnetd, request, format);
  }

  // Without connecting again.
  Watched WatchOnce(Format format) {
    Watched watched;
    const auto open = [this] { return Result<Connection>(Connect()); };
    const auto print = [&watched](const std::string& text) {
      watched.out += text;
      return absl::OkStatus();
    };
    const auto say = [](const std::string&) {};
    watched.end =
        Watch({.request = {}, .reconnect = false, .list = {}}, format, absl::ZeroDuration(),
              {.open = open, .print = print, .say = say, .erase = ""});
    return watched;
  }

  Svnetd svnetd_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(CommandsTest, ListsAllPages) {
  const std::string taps = Run(ListLeases()).standard_output;
  EXPECT_THAT(taps, HasSubstr("  tap1 "));
  EXPECT_THAT(taps, HasSubstr("  tap2 "));
}

TEST_F(CommandsTest, FailsIfAListDoesNotEnd) {
  svnetd_.MakeEndless();
  const Report report = Run(ListLeases());
  EXPECT_EQ(report.exit_code, ExitCode::kRefused);
  EXPECT_THAT(report.standard_error, HasSubstr("100 pages"));
}

TEST_F(CommandsTest, ReturnsAFailureForARefusal) {
  const LeaseNames vm1 = {.vms = {"vm1"}, .iface = "eth0", .tap = "", .owner = {}};
  for (const Request& request : {Request(CreateLeases{.vms = {"vm1"}, .request = {}, .format = {}}),
                                 Request(RemoveLeases{vm1}), Request(BootArgsOfLeases{vm1, {}}),
                                 Request(CleanupLeases()), Request(v1::GetNetworkRequest())}) {
    const Report report = Run(request, Format::kJson);
    EXPECT_EQ(report.exit_code, ExitCode::kRefused);
    EXPECT_THAT(report.standard_output, HasSubstr("\"code\": \"UNIMPLEMENTED\""));
  }
}

TEST_F(CommandsTest, CreatesSeveralByOneCallWhereItCan) {
  CreateLeases create = {.vms = {"vm1", "bad", "vm2"}, .request = {}, .format = {}};
  for (const bool can : {true, false}) {
    svnetd_.LearnCreateTap(can);
    const int before = svnetd_.calls();
    const Report report = Run(create);
    EXPECT_EQ(report.exit_code, ExitCode::kRefused);
    EXPECT_THAT(report.standard_output, AllOf(HasSubstr("tap-vm1"), HasSubstr("tap-vm2")));
    EXPECT_THAT(report.standard_error, AllOf(HasSubstr("bad"), HasSubstr("why")));
    EXPECT_EQ(svnetd_.calls() - before, can ? 1 : 3);
  }
  svnetd_.LearnCreateTap(true);
  create.vms.assign(250, "vm");
  const int before = svnetd_.calls();
  EXPECT_EQ(Run(create).exit_code, ExitCode::kDone);
  EXPECT_EQ(svnetd_.calls() - before, 3);
}

LeaseNames Tap(const std::string& tap) { return {.vms = {}, .iface = "", .tap = tap, .owner = {}}; }

TEST_F(CommandsTest, ShowsAndUpdatesOneLease) {
  svnetd_.LearnGetTap();
  EXPECT_THAT(Run(ShowLeases{.which = Tap("tap7"), .format = {}}).standard_output,
              HasSubstr("generation     7"));
  UpdateLease update;
  update.which.tap = "tap7";
  update.request.mutable_tap()->mutable_lifetime()->mutable_process()->set_pid(9);
  const std::string updated = Run(update).standard_output;
  EXPECT_THAT(updated, HasSubstr("lifetime       process:9"));
  EXPECT_THAT(updated, HasSubstr("generation     8"));
}

TEST_F(CommandsTest, ShowsALeaseOfAnEarlierSvnetdOrSaysThatThereIsNone) {
  EXPECT_THAT(Run(ShowLeases{.which = Tap("tap2"), .format = {}}).standard_output,
              HasSubstr("tap            tap2"));
  // The fake goes on counting.
  EXPECT_THAT(Run(ShowLeases{.which = Tap("tap4"), .format = LeaseFormat::kEnv}).standard_output,
              HasSubstr("SVNET_TAP=tap4\n"));
  EXPECT_THAT(Run(ShowLeases{.which = Tap("none"), .format = {}}).standard_error,
              HasSubstr("TAP_NOT_FOUND"));
}

TEST_F(CommandsTest, ListsNetworksInEachFormat) {
  EXPECT_THAT(Run(ListNetworks()).standard_output, StartsWith("NAME "));
  EXPECT_THAT(Run(ListNetworks{ListFormat::kWide}).standard_output, HasSubstr("  ISOLATION  "));
  EXPECT_EQ(Run(ListNetworks{ListFormat::kName}).standard_output, "default\nred\n");
  EXPECT_THAT(Run(ListNetworks{ListFormat::kYaml}).standard_output, StartsWith("networks:\n  - "));
  EXPECT_THAT(Run(ListNetworks{ListFormat::kJson}, Format::kJson).standard_output,
              AllOf(StartsWith("{\n \"networks\": ["), HasSubstr("\"name\": \"red\"")));
}

TEST_F(CommandsTest, TheStatusOfANetworkNamesTheOthers) {
  v1::GetNetworkRequest red;
  red.set_network("red");
  EXPECT_THAT(Run(red).standard_output,
              AllOf(StartsWith("network    red\n"), HasSubstr("\nother networks: default (")));
  const std::string json = Run(red, Format::kJson).standard_output;
  EXPECT_THAT(json, HasSubstr("\"name\": \"red\""));
  EXPECT_THAT(json, Not(HasSubstr("\"name\": \"default\"")));
}

TEST_F(CommandsTest, PrintsEachWatchedEventAndTheReasonOfTheEnd) {
  Watched watched = WatchOnce(Format::kPeople);
  EXPECT_THAT(watched.out, HasSubstr("  ADDED     tap1"));
  EXPECT_THAT(watched.out, HasSubstr("  ATTACHED  tap1"));
  EXPECT_EQ(std::count(watched.out.begin(), watched.out.end(), '\n'), 2)
      << "the snapshot's end is for programs";
  EXPECT_EQ(std::get<Failure>(watched.end).exit_code, ExitCode::kNoDaemon);
  EXPECT_THAT(std::get<Failure>(watched.end).message, HasSubstr("svnetd has ended the stream"));
  svnetd_.MakeEndless();
  watched = WatchOnce(Format::kJson);
  EXPECT_THAT(watched.out,
              StartsWith(R"({"type":"TAP_EVENT_TYPE_ADDED","tap":{"tapName":"tap1",)"));
  EXPECT_THAT(watched.out, HasSubstr(R"("time":"20)")) << "an earlier svnetd does not say when";
  EXPECT_EQ(std::count(watched.out.begin(), watched.out.end(), '\n'), 3);
  EXPECT_THAT(std::get<Failure>(watched.end).message, HasSubstr("closed the connection"));
}

TEST_F(CommandsTest, ReportsAConnectionWithoutAServer) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  close(pair[0]);
  Connection svnetd(UniqueFd(pair[1]), "/the/socket", absl::Seconds(30));
  const Report report = RunCommand(svnetd, v1::GetNetworkRequest(), {});
  EXPECT_EQ(report.exit_code, ExitCode::kNoDaemon);
  EXPECT_THAT(report.standard_error, HasSubstr("/the/socket"));
}

TEST_F(CommandsTest, ReportsAServerThatNeverAnswersAsATimeout) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  const UniqueFd silent(pair[0]);
  Connection svnetd(UniqueFd(pair[1]), "/the/socket", absl::Milliseconds(50));
  EXPECT_THAT(RunCommand(svnetd, v1::GetNetworkRequest(), Format::kJson).standard_output,
              HasSubstr("DEADLINE_EXCEEDED"));
}

}  // namespace
}  // namespace svnet::client
