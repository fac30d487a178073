// What went wrong, and what to do next.
#include "client/failure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>

#include "client/account.h"
#include "client/connect_failure.h"
#include "client/rpc_failure.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace svnet::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

grpc::Status Refusal(const std::string& domain, const std::string& reason = "NOT_A_BRIDGE") {
  google::rpc::ErrorInfo info;
  info.set_domain(domain);
  info.set_reason(reason);
  (*info.mutable_metadata())["ancestor_code"] = "BRIDGE_SETUP_FAILED";
  google::rpc::Status details;
  details.add_details()->PackFrom(google::rpc::Status());
  details.add_details()->PackFrom(info);
  return {grpc::StatusCode::FAILED_PRECONDITION, "svbr0 is not a bridge",
          details.SerializeAsString()};
}

const CallContext kContext = {.socket = "/run/s.sock", .timeout = absl::Seconds(30)};

TEST(RpcFailureTest, ExplainsAnAnswerOfTheDaemon) {
  const Failure failure = ExplainRpcFailure(Refusal("svnet"), kContext);
  EXPECT_EQ(failure.exit_code, ExitCode::kRefused);
  EXPECT_EQ(failure.code, "FAILED_PRECONDITION");
  EXPECT_EQ(failure.reason, "NOT_A_BRIDGE");
  EXPECT_EQ(failure.message, "svbr0 is not a bridge");
  EXPECT_THAT(failure.metadata, ElementsAre(Pair("ancestor_code", "BRIDGE_SETUP_FAILED")));
}

TEST(RpcFailureTest, NamesTheCommandThatListsNetworks) {
  EXPECT_EQ(ExplainRpcFailure(Refusal("svnet"), kContext).hint, "");
  EXPECT_THAT(ExplainRpcFailure(Refusal("svnet", "NETWORK_NOT_FOUND"), kContext).hint,
              HasSubstr("svnetctl networks"));
}

TEST(RpcFailureTest, IgnoresDetailsOfOtherDomains) {
  EXPECT_EQ(ExplainRpcFailure(Refusal("else"), kContext).reason, "");
  const grpc::Status garbage(grpc::StatusCode::INTERNAL, "x", "\xff\xff\xff");
  EXPECT_EQ(ExplainRpcFailure(garbage, kContext).exit_code, ExitCode::kRefused);
}

TEST(RpcFailureTest, ExplainsABrokenConnection) {
  const Failure failure =
      ExplainRpcFailure({grpc::StatusCode::UNAVAILABLE, "Socket closed"}, kContext);
  EXPECT_EQ(failure.exit_code, ExitCode::kNoDaemon);
  EXPECT_THAT(failure.message, HasSubstr("/run/s.sock"));
  EXPECT_THAT(failure.hint, HasSubstr("journalctl -u svnetd"));
}

TEST(RpcFailureTest, ExplainsTimeoutsAndUnknownMethods) {
  EXPECT_THAT(ExplainRpcFailure({grpc::StatusCode::DEADLINE_EXCEEDED, ""}, kContext).message,
              HasSubstr("within 30 s"));
  EXPECT_THAT(ExplainRpcFailure({grpc::StatusCode::UNIMPLEMENTED, ""}, kContext).hint,
              HasSubstr("older than svnetctl"));
}

TEST(ConnectFailureTest, ExplainsHowToGetAccess) {
  const auto explain = [](int error, const Barrier& barrier = {}) {
    const Failure failure = ExplainConnectFailure("/run/s.sock", error, barrier);
    EXPECT_EQ(failure.exit_code, ExitCode::kNoDaemon);
    return failure.message + " | " + failure.hint;
  };
  EXPECT_THAT(explain(ENOENT), HasSubstr("no svnetd at /run/s.sock: is the service running?"));
  EXPECT_THAT(explain(ECONNREFUSED), HasSubstr("systemctl start svnetd"));
  EXPECT_THAT(explain(EAGAIN), HasSubstr("overloaded"));
  EXPECT_THAT(explain(EPROTOTYPE), HasSubstr("wrong type"));
  const Barrier barrier = {.group = "svnet", .user = "alice"};
  EXPECT_THAT(explain(EACCES, barrier), HasSubstr("are you in group svnet?"));
  EXPECT_THAT(explain(EACCES, barrier), HasSubstr("sudo usermod -aG svnet alice"));
  Barrier later = barrier;
  later.membership = Barrier::Membership::kAfterLogin;
  EXPECT_THAT(explain(EACCES, later), HasSubstr("log out and in again"));
  Barrier now = barrier;
  now.membership = Barrier::Membership::kNow;
  EXPECT_THAT(explain(EACCES, now), HasSubstr("look at its mode"));
  Barrier roots = barrier;
  roots.is_roots = true;
  EXPECT_THAT(explain(EACCES, roots), Not(HasSubstr("usermod")));
}

TEST(ConnectFailureTest, FindsTheFirstPathThatIsClosed) {
  char folder[] = "/tmp/svnet-test-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  struct stat made = {};
  ASSERT_EQ(stat(folder, &made), 0);
  EXPECT_EQ(ObserveBarrier(std::string(folder) + "/a/b/s.sock").group, GroupName(made.st_gid));
  EXPECT_EQ(rmdir(folder), 0);
}

TEST(AccountTest, ParsesNamesAndNumbers) {
  EXPECT_EQ(*ParseUser("root"), 0u);
  EXPECT_EQ(*ParseUser("4294967294"), 4294967294u);
  EXPECT_TRUE(absl::IsOutOfRange(ParseUser("4294967295").status()));
  EXPECT_TRUE(absl::IsOutOfRange(ParseUser("99999999999999999999").status()));
  EXPECT_TRUE(absl::IsNotFound(ParseUser("no-such-user").status()));
  EXPECT_TRUE(absl::IsNotFound(ParseUser("-1").status()));
  EXPECT_EQ(*ParseGroup("root"), 0u);
  EXPECT_EQ(UserName(0), "root");
  EXPECT_EQ(GroupName(4294967294), "4294967294");
  EXPECT_TRUE(IsMember("root", 0));
  EXPECT_FALSE(IsMember("no-such-user", 0));
}

TEST(ReportTest, RendersFailuresForPeopleAndForScripts) {
  const Failure failure = {.exit_code = ExitCode::kRefused,
                           .code = "NOT_FOUND",
                           .reason = "TAP_NOT_FOUND",
                           .message = "there is no \x1b TAP",
                           .hint = "try another",
                           .metadata = {{"a", "b"}, {"c", "d"}}};
  const Report people = MakeReport(failure, Format::kPeople);
  EXPECT_EQ(people.standard_output, "");
  EXPECT_EQ(people.standard_error,
            "svnetctl: there is no \\x1b TAP [TAP_NOT_FOUND]\ntry another\n");
  const Report scripts = MakeReport(failure, Format::kJson);
  EXPECT_EQ(scripts.standard_error, people.standard_error);
  EXPECT_EQ(scripts.standard_output, R"({
 "error": {
  "code": "NOT_FOUND",
  "reason": "TAP_NOT_FOUND",
  "message": "there is no \u001b TAP",
  "metadata": {"a": "b", "c": "d"}
 }
}
)");
  EXPECT_EQ(MakeReport(std::string("done\n"), Format::kPeople).standard_output, "done\n");
}

}  // namespace
}  // namespace svnet::client
