// `svnetctl run` and its child, with a svnetd of the test's own.
#include "client/run.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/child.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace svnet::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

grpc::Status Unsupported() {
  google::rpc::ErrorInfo info;
  info.set_domain("svnet");
  info.set_reason("UNSUPPORTED");
  google::rpc::Status details;
  details.add_details()->PackFrom(info);
  return {grpc::StatusCode::UNIMPLEMENTED, "lifetime process is not possible",
          details.SerializeAsString()};
}

// Writes down what it is asked, and refuses bound lifetimes if it is old.
class Svnetd final : public v1::NetworkService::Service {
 public:
  grpc::Status CreateTap(grpc::ServerContext*, const v1::CreateTapRequest* request,
                         v1::CreateTapResponse* response) override {
    if (old_ && request->lifetime().has_process()) return Unsupported();
    asked_.push_back(absl::StrCat("create ", request->lifetime().ShortDebugString()));
    response->mutable_tap()->set_tap_name("tap1");
    response->mutable_tap()->set_guest_ip("172.30.0.2");
    return grpc::Status::OK;
  }
  grpc::Status GetBootArgs(grpc::ServerContext*, const v1::GetBootArgsRequest*,
                           v1::GetBootArgsResponse* response) override {
    if (old_) return {grpc::StatusCode::INTERNAL, "no boot args"};
    response->set_boot_args("ip=x");
    return grpc::Status::OK;
  }
  grpc::Status RemoveTap(grpc::ServerContext*, const v1::RemoveTapRequest* request,
                         v1::RemoveTapResponse*) override {
    asked_.push_back(absl::StrCat("remove ", request->tap_name()));
    return grpc::Status::OK;
  }

  void MakeOld() { old_ = true; }
  const std::vector<std::string>& asked() const { return asked_; }

 private:
  bool old_ = false;
  std::vector<std::string> asked_;
};

class RunTest : public ::testing::Test {
 protected:
  RunTest() : socket_(absl::StrCat("/tmp/svnet-run-test-", getpid())) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(absl::StrCat("unix:", socket_), grpc::InsecureServerCredentials());
    builder.RegisterService(&svnetd_);
    server_ = builder.BuildAndStart();
  }
  ~RunTest() override {
    server_->Shutdown();
    unlink(socket_.c_str());
  }

  Result<int> Run(std::vector<std::string> program, const std::string& lifetime = "") {
    ProgramRun run;
    run.request.set_vm_id("vm1");
    if (!lifetime.empty()) run.request.mutable_lifetime()->mutable_persistent();
    run.program = std::move(program);
    return RunProgram(socket_, absl::Seconds(30), run);
  }

  const std::string socket_;
  Svnetd svnetd_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(RunTest, BindsTheLeaseToItselfAndRemovesItAtTheEnd) {
  EXPECT_EQ(std::get<int>(Run({"sh", "-c",
                               "test '{tap} {ip} {boot_args}' = "
                               "'tap1 172.30.0.2 ip=x' && exit 7"})),
            7);
  EXPECT_THAT(svnetd_.asked(),
              ElementsAre(absl::StrCat("create process { pid: ", getpid(), " }"), "remove tap1"));
}

TEST_F(RunTest, ExitsWithItsProgramsCode) {
  EXPECT_EQ(std::get<int>(Run({"true"})), 0);
  EXPECT_EQ(std::get<int>(Run({"sh", "-c", "kill -KILL $$"})), 128 + SIGKILL);
}

TEST_F(RunTest, LeavesNoLeaseIfTheProgramCannotBeStarted) {
  EXPECT_EQ(std::get<int>(Run({"/nothing/there"})), 127);
  EXPECT_EQ(std::get<int>(Run({"/"})), 126);
  EXPECT_THAT(svnetd_.asked().back(), "remove tap1");
}

TEST_F(RunTest, CreatesNoLeaseForAMisspeltPlaceholder) {
  const auto failure = std::get<Failure>(Run({"true", "{boot-args}"}));
  EXPECT_EQ(failure.exit_code, ExitCode::kUsage);
  EXPECT_THAT(svnetd_.asked(), ElementsAre());
}

TEST_F(RunTest, LeavesNoTapBehindWithAnOldSvnetd) {
  svnetd_.MakeOld();
  const auto failure = std::get<Failure>(Run({"true"}));
  EXPECT_EQ(failure.reason, "UNSUPPORTED");
  EXPECT_THAT(failure.hint, HasSubstr("--lifetime persistent"));
  EXPECT_THAT(svnetd_.asked(), ElementsAre());
}

TEST_F(RunTest, RemovesTheLeaseIfThereAreNoBootArgs) {
  svnetd_.MakeOld();
  const auto failure = std::get<Failure>(Run({"true"}, "persistent"));
  EXPECT_THAT(failure.message, HasSubstr("no boot args"));
  EXPECT_THAT(svnetd_.asked(), ElementsAre("create persistent { }", "remove tap1"));
}

TEST_F(RunTest, DoesNotStartTheProgramAfterASignal) {
  BlockForwardedSignals();
  raise(SIGTERM);
  EXPECT_EQ(std::get<int>(Run({"false"})), 128 + SIGTERM);
  int signal = 0;
  sigset_t pending;
  sigpending(&pending);
  sigwait(&pending, &signal);  // for the tests after this one
  EXPECT_THAT(svnetd_.asked().back(), "remove tap1");
}

TEST(ChildTest, GetsForwardedSignalsAndHasNoneBlocked) {
  BlockForwardedSignals();
  const pid_t child = *StartProgram({"sh", "-c",
                                     "trap 'exit 9' TERM; kill -TERM $PPID; "
                                     "while :; do read x </dev/null; done"});
  EXPECT_EQ(WaitAndForwardSignals(child), 9);
}

}  // namespace
}  // namespace svnet::client
