// The commands, against a server at the other end of a pair of sockets.
#include "client/commands.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/server_posix.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "absl/strings/str_cat.h"

namespace svnet::client {
namespace {

using ::testing::HasSubstr;

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

  void MakeEndless() { endless_ = true; }

 private:
  int pages_ = 0;
  bool endless_ = false;
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

TEST_F(CommandsTest, AListIsAllPages) {
  Connection svnetd = Connect();
  const std::string taps = std::get<std::string>(RunCommand(svnetd, v1::ListTapsRequest(), {}));
  EXPECT_THAT(taps, HasSubstr("\ntap1"));
  EXPECT_THAT(taps, HasSubstr("\ntap2"));
}

TEST_F(CommandsTest, AListThatDoesNotEndIsAnError) {
  svnetd_.MakeEndless();
  Connection svnetd = Connect();
  const Failure failure = std::get<Failure>(RunCommand(svnetd, v1::ListTapsRequest(), {}));
  EXPECT_EQ(failure.exit_code, ExitCode::kRefused);
  EXPECT_THAT(failure.message, HasSubstr("100 pages"));
}

TEST_F(CommandsTest, ARefusalIsAFailure) {
  Connection svnetd = Connect();
  for (const Request& request : {Request(v1::CreateTapRequest()), Request(v1::RemoveTapRequest()),
                                 Request(v1::GetBootArgsRequest()), Request(v1::CleanupRequest()),
                                 Request(v1::GetNetworkRequest())}) {
    EXPECT_EQ(std::get<Failure>(RunCommand(svnetd, request, Format::kJson)).code, "UNIMPLEMENTED");
  }
}

TEST_F(CommandsTest, NobodyAtTheOtherEnd) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  close(pair[0]);
  Connection svnetd(UniqueFd(pair[1]), "/the/socket", absl::Seconds(30));
  const Failure failure = std::get<Failure>(RunCommand(svnetd, v1::GetNetworkRequest(), {}));
  EXPECT_EQ(failure.exit_code, ExitCode::kNoDaemon);
  EXPECT_THAT(failure.message, HasSubstr("/the/socket"));
}

TEST_F(CommandsTest, WhoNeverAnswersIsTooLate) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  const UniqueFd silent(pair[0]);
  Connection svnetd(UniqueFd(pair[1]), "/the/socket", absl::Milliseconds(50));
  const Failure failure = std::get<Failure>(RunCommand(svnetd, v1::GetNetworkRequest(), {}));
  EXPECT_EQ(failure.code, "DEADLINE_EXCEEDED");
}

}  // namespace
}  // namespace svnet::client
