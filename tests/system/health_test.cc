// grpc.health.v1, as a supervisor's health check sees it.
#include <signal.h>

#include <memory>
#include <vector>

#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/system/system_test.h"

namespace svnet::testing {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using ::testing::HasSubstr;

HealthCheckRequest RequestFor(const std::string& component) {
  HealthCheckRequest request;
  request.set_service(component);
  return request;
}

struct Checked {
  grpc::Status status;
  HealthCheckResponse::ServingStatus serving;
};

Checked Check(Client& client, const std::string& component) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  HealthCheckResponse response;
  const grpc::Status status =
      Health::NewStub(client.channel())->Check(&context, RequestFor(component), &response);
  return {.status = status, .serving = response.status()};
}

class HealthWatcher {
 public:
  HealthWatcher(Client& client, const std::string& component)
      : stub_(Health::NewStub(client.channel())) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    reader_ = stub_->Watch(&context_, RequestFor(component));
  }
  ~HealthWatcher() { context_.TryCancel(); }

  // UNKNOWN when the stream has ended.
  HealthCheckResponse::ServingStatus Next() {
    HealthCheckResponse response;
    return reader_->Read(&response) ? response.status() : HealthCheckResponse::UNKNOWN;
  }
  grpc::Status Finish() { return reader_->Finish(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<Health::Stub> stub_;
  std::unique_ptr<grpc::ClientReader<HealthCheckResponse>> reader_;
};

class HealthTest : public SystemTest {};

TEST_F(HealthTest, EachComponentServesAndOthersAreNotKnown) {
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  alice.MustCreate("vm1");
  for (const char* component :
       {"", "svnet.v1.NetworkService", "network", "firewall", "monitor", "network/default"}) {
    const Checked checked = Check(alice, component);
    EXPECT_TRUE(checked.status.ok()) << component << checked.status.error_message();
    EXPECT_EQ(checked.serving, HealthCheckResponse::SERVING) << component;
  }
  const Checked unknown = Check(alice, "svnet.v2");
  EXPECT_EQ(unknown.status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(unknown.status.error_message(), HasSubstr("\"firewall\""));
  EXPECT_EQ(HealthWatcher(alice, "svnet.v2").Next(), HealthCheckResponse::SERVICE_UNKNOWN);
}

TEST_F(HealthTest, WhatLeasesLackIsToldAndThatItIsBack) {
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  alice.MustCreate("vm1");
  HealthWatcher whole(alice, "");
  HealthWatcher network(alice, "network");
  EXPECT_EQ(whole.Next(), HealthCheckResponse::SERVING);
  EXPECT_EQ(network.Next(), HealthCheckResponse::SERVING);
  // Something else takes the bridge's name, and svnetd is never in between.
  kill(svnetd.pid(), SIGSTOP);
  Shell("ip link delete svbr0; ip link add svbr0 type veth peer name other");
  kill(svnetd.pid(), SIGCONT);
  EXPECT_EQ(network.Next(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(whole.Next(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Check(alice, "network").serving, HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Check(alice, "svnet.v1.NetworkService").serving, HealthCheckResponse::SERVING);
  Shell("ip link delete svbr0");
  EXPECT_EQ(network.Next(), HealthCheckResponse::SERVING);
  EXPECT_EQ(whole.Next(), HealthCheckResponse::SERVING);
}

TEST_F(HealthTest, NothingServesOnceItIsToldToEnd) {
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  HealthWatcher service(alice, "svnet.v1.NetworkService");
  EXPECT_EQ(service.Next(), HealthCheckResponse::SERVING);
  kill(svnetd.pid(), SIGTERM);
  EXPECT_EQ(service.Next(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(service.Next(), HealthCheckResponse::UNKNOWN);
  EXPECT_EQ(service.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(svnetd.Stop(0), 0);
}

TEST_F(HealthTest, ACallerWhoIsNotAllowedLearnsNothing) {
  Daemon svnetd = Start({}, "[callers]\nallow_users = [\"1000\"]\n");
  Client mallory(svnetd.socket(), 1002);
  EXPECT_EQ(ReasonOf(Check(mallory, "").status), "PERMISSION_DENIED");
  HealthWatcher watcher(mallory, "");
  EXPECT_EQ(watcher.Next(), HealthCheckResponse::UNKNOWN);
  EXPECT_EQ(ReasonOf(watcher.Finish()), "PERMISSION_DENIED");
}

TEST_F(HealthTest, ManyWatchersHoldNobodyUp) {
  Daemon svnetd = Start();
  Client mallory(svnetd.socket(), Member(kBob));
  std::vector<std::unique_ptr<HealthWatcher>> idle;
  for (int i = 0; i < 16; ++i) {
    idle.push_back(std::make_unique<HealthWatcher>(mallory, ""));
    EXPECT_EQ(idle.back()->Next(), HealthCheckResponse::SERVING);
  }
  HealthWatcher refused(mallory, "");
  EXPECT_EQ(refused.Next(), HealthCheckResponse::UNKNOWN);
  EXPECT_EQ(ReasonOf(refused.Finish()), "QUOTA_EXCEEDED");
  Client alice(svnetd.socket(), Member(kAlice));
  alice.MustCreate("vm1");
  EXPECT_EQ(HealthWatcher(alice, "").Next(), HealthCheckResponse::SERVING);
}

}  // namespace
}  // namespace svnet::testing
