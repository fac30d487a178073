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

using ::testing::HasSubstr;
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

  void LearnGetTap() { knows_get_tap_ = true; }
  void MakeEndless() { endless_ = true; }

 private:
  int pages_ = 0;
  bool endless_ = false;
  bool knows_get_tap_ = false;
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

  Svnetd svnetd_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(CommandsTest, ListsAllPages) {
  Connection svnetd = Connect();
  const std::string taps = std::get<std::string>(RunCommand(svnetd, v1::ListTapsRequest(), {}));
  EXPECT_THAT(taps, HasSubstr("\ntap1"));
  EXPECT_THAT(taps, HasSubstr("\ntap2"));
}

TEST_F(CommandsTest, FailsIfAListDoesNotEnd) {
  svnetd_.MakeEndless();
  Connection svnetd = Connect();
  const Failure failure = std::get<Failure>(RunCommand(svnetd, v1::ListTapsRequest(), {}));
  EXPECT_EQ(failure.exit_code, ExitCode::kRefused);
  EXPECT_THAT(failure.message, HasSubstr("100 pages"));
}

TEST_F(CommandsTest, ReturnsAFailureForARefusal) {
  Connection svnetd = Connect();
  for (const Request& request :
       {Request(CreateLease()), Request(v1::RemoveTapRequest()), Request(v1::GetBootArgsRequest()),
        Request(v1::CleanupRequest()), Request(v1::GetNetworkRequest())}) {
    EXPECT_EQ(std::get<Failure>(RunCommand(svnetd, request, Format::kJson)).code, "UNIMPLEMENTED");
  }
}

TEST_F(CommandsTest, ShowsAndUpdatesOneLease) {
  svnetd_.LearnGetTap();
  Connection svnetd = Connect();
  ShowLease show;
  show.which.set_tap_name("tap7");
  EXPECT_THAT(std::get<std::string>(RunCommand(svnetd, show, {})), HasSubstr("generation     7"));
  v1::UpdateTapRequest update;
  update.set_tap_name("tap7");
  update.mutable_tap()->mutable_lifetime()->mutable_process()->set_pid(9);
  const std::string updated = std::get<std::string>(RunCommand(svnetd, update, {}));
  EXPECT_THAT(updated, HasSubstr("lifetime       process:9"));
  EXPECT_THAT(updated, HasSubstr("generation     8"));
}

TEST_F(CommandsTest, ShowsALeaseOfAnEarlierSvnetdOrSaysThatThereIsNone) {
  Connection svnetd = Connect();
  ShowLease show;
  show.which.set_tap_name("tap2");
  EXPECT_THAT(std::get<std::string>(RunCommand(svnetd, show, {})),
              HasSubstr("tap            tap2"));
  show.which.set_tap_name("tap4");  // the fake goes on counting
  show.format = LeaseFormat::kEnv;
  EXPECT_THAT(std::get<std::string>(RunCommand(svnetd, show, {})), HasSubstr("SVNET_TAP=tap4\n"));
  show.which.set_tap_name("none");
  EXPECT_EQ(std::get<Failure>(RunCommand(svnetd, show, {})).reason, "TAP_NOT_FOUND");
}

TEST_F(CommandsTest, PrintsEachWatchedEventAndTheReasonOfTheEnd) {
  Connection svnetd = Connect();
  std::string lines;
  const auto print = [&lines](const std::string& line) {
    lines += line;
    return absl::OkStatus();
  };
  Failure end = Watch(svnetd, v1::WatchTapsRequest(), Format::kPeople, print);
  EXPECT_THAT(lines, HasSubstr("  ADDED     tap1"));
  EXPECT_THAT(lines, HasSubstr("  ATTACHED  tap1"));
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2)
      << "the snapshot's end is for programs";
  EXPECT_EQ(end.exit_code, ExitCode::kNoDaemon);
  EXPECT_THAT(end.message, HasSubstr("svnetd has ended the stream"));
  lines.clear();
  svnetd_.MakeEndless();
  end = Watch(svnetd, v1::WatchTapsRequest(), Format::kJson, print);
  EXPECT_THAT(lines, StartsWith(R"({"type":"TAP_EVENT_TYPE_ADDED","tap":{"tapName":"tap1",)"));
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 3);
  EXPECT_THAT(end.message, HasSubstr("closed the connection"));
}

TEST_F(CommandsTest, EndsAWatchWhenItsOutputIsClosed) {
  Connection svnetd = Connect();
  int lines = 0;
  const Failure end =
      Watch(svnetd, v1::WatchTapsRequest(), Format::kPeople, [&lines](const std::string&) {
        ++lines;
        return absl::UnavailableError("write: Broken pipe");
      });
  EXPECT_EQ(lines, 1);
  EXPECT_THAT(end.message, HasSubstr("Broken pipe"));
}

TEST_F(CommandsTest, ReportsAConnectionWithoutAServer) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  close(pair[0]);
  Connection svnetd(UniqueFd(pair[1]), "/the/socket", absl::Seconds(30));
  const Failure failure = std::get<Failure>(RunCommand(svnetd, v1::GetNetworkRequest(), {}));
  EXPECT_EQ(failure.exit_code, ExitCode::kNoDaemon);
  EXPECT_THAT(failure.message, HasSubstr("/the/socket"));
}

TEST_F(CommandsTest, ReportsAServerThatNeverAnswersAsATimeout) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  const UniqueFd silent(pair[0]);
  Connection svnetd(UniqueFd(pair[1]), "/the/socket", absl::Milliseconds(50));
  const Failure failure = std::get<Failure>(RunCommand(svnetd, v1::GetNetworkRequest(), {}));
  EXPECT_EQ(failure.code, "DEADLINE_EXCEEDED");
}

}  // namespace
}  // namespace svnet::client
