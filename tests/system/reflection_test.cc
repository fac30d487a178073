// Server reflection, as grpcurl and its like use it.
#include <google/protobuf/descriptor.pb.h>
#include <signal.h>

#include <memory>
#include <vector>

#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "tests/system/system_test.h"

namespace svnet::testing {
namespace {

namespace v1_reflection = grpc::reflection::v1;
namespace v1alpha = grpc::reflection::v1alpha;
using ::testing::Contains;
using ::testing::IsSupersetOf;

template <typename Service, typename Request, typename Response>
class Stream {
 public:
  explicit Stream(Client& client) : stub_(Service::NewStub(client.channel())) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    stream_ = stub_->ServerReflectionInfo(&context_);
  }
  ~Stream() { context_.TryCancel(); }

  // False when the stream has ended.
  bool Ask(const Request& request, Response* response) {
    return stream_->Write(request) && stream_->Read(response);
  }
  bool ListServices(Response* response) {
    Request request;
    request.set_list_services("*");
    return Ask(request, response);
  }
  void WritesDone() { stream_->WritesDone(); }
  grpc::Status Finish() { return stream_->Finish(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<typename Service::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<Request, Response>> stream_;
};

using V1Stream = Stream<v1_reflection::ServerReflection, v1_reflection::ServerReflectionRequest,
                        v1_reflection::ServerReflectionResponse>;
using V1AlphaStream = Stream<v1alpha::ServerReflection, v1alpha::ServerReflectionRequest,
                             v1alpha::ServerReflectionResponse>;

template <typename Response>
std::vector<std::string> ServicesIn(const Response& response) {
  std::vector<std::string> names;
  for (const auto& service : response.list_services_response().service()) {
    names.push_back(service.name());
  }
  return names;
}

class ReflectionTest : public SystemTest {};

TEST_F(ReflectionTest, BothVersionsAnswerOneQuestionAfterTheOther) {
  Daemon svnetd = Start();
  Client alice(svnetd.socket(), Member(kAlice));
  V1Stream stream(alice);
  v1_reflection::ServerReflectionResponse response;
  ASSERT_TRUE(stream.ListServices(&response));
  EXPECT_THAT(ServicesIn(response),
              IsSupersetOf({"svnet.v1.NetworkService", "grpc.health.v1.Health"}));
  v1_reflection::ServerReflectionRequest request;
  request.set_file_containing_symbol("svnet.v1.NetworkService");
  ASSERT_TRUE(stream.Ask(request, &response));
  google::protobuf::FileDescriptorProto file;
  ASSERT_TRUE(file.ParseFromString(response.file_descriptor_response().file_descriptor_proto(0)));
  EXPECT_EQ(file.name(), "svnet/v1/network.proto");
  EXPECT_EQ(file.service(0).method(0).name(), "CreateTap");
  stream.WritesDone();
  EXPECT_TRUE(stream.Finish().ok());

  V1AlphaStream old(alice);
  v1alpha::ServerReflectionResponse old_response;
  ASSERT_TRUE(old.ListServices(&old_response));
  EXPECT_THAT(ServicesIn(old_response), Contains("svnet.v1.NetworkService"));
}

TEST_F(ReflectionTest, ACallerWhoIsNotAllowedLearnsNothing) {
  Daemon svnetd = Start({}, "[callers]\nallow_users = [\"1000\"]\n");
  Client mallory(svnetd.socket(), 1002);
  V1Stream stream(mallory);
  v1_reflection::ServerReflectionResponse response;
  EXPECT_FALSE(stream.ListServices(&response));
  EXPECT_EQ(ReasonOf(stream.Finish()), "PERMISSION_DENIED");
}

// Streams that never end hold no thread: others go on, and svnetd ends.
TEST_F(ReflectionTest, StreamsThatNeverEndHoldNobodyUp) {
  Daemon svnetd = Start();
  const auto threads = [&] {
    return std::stoi(Shell("ls /proc/" + std::to_string(svnetd.pid()) + "/task | wc -l"));
  };
  Client mallory(svnetd.socket(), Member(kBob));
  v1_reflection::ServerReflectionResponse response;
  std::vector<std::unique_ptr<V1Stream>> idle;
  idle.push_back(std::make_unique<V1Stream>(mallory));
  ASSERT_TRUE(idle.back()->ListServices(&response));
  const int before = threads();
  while (idle.size() < 16) {
    idle.push_back(std::make_unique<V1Stream>(mallory));
    ASSERT_TRUE(idle.back()->ListServices(&response));
  }
  V1Stream refused(mallory);
  EXPECT_FALSE(refused.ListServices(&response));
  EXPECT_EQ(ReasonOf(refused.Finish()), "QUOTA_EXCEEDED");
  EXPECT_LE(threads(), before + 4);  // gRPC's own come and go, whatever the streams are
  mallory.MustCreate("vm1");
  Client alice(svnetd.socket(), Member(kAlice));
  alice.MustCreate("vm1");
  V1Stream stream(alice);
  EXPECT_TRUE(stream.ListServices(&response));
  EXPECT_EQ(svnetd.Stop(SIGTERM), 0);
}

}  // namespace
}  // namespace svnet::testing
