// What server reflection answers, and to how many.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "daemon/gate/reflection_answers.h"
#include "tests/unit/values.h"

namespace svnet {
namespace {

using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::ReasonIn;

// The files of an answer, by name.
std::vector<std::string> FilesIn(const ServerReflectionResponse& response) {
  std::vector<std::string> names;
  for (const std::string& bytes : response.file_descriptor_response().file_descriptor_proto()) {
    google::protobuf::FileDescriptorProto file;
    EXPECT_TRUE(file.ParseFromString(bytes));
    names.push_back(file.name());
  }
  return names;
}

TEST(ReflectionAnswersTest, AllServicesAreListed) {
  ServerReflectionRequest request;
  request.set_host("svnetd");
  request.set_list_services("*");
  const ServerReflectionResponse response = AnswerReflection(request);
  std::vector<std::string> names;
  for (const auto& service : response.list_services_response().service()) {
    names.push_back(service.name());
  }
  EXPECT_THAT(names, ElementsAre("svnet.v1.NetworkService", "grpc.health.v1.Health",
                                 "grpc.reflection.v1.ServerReflection",
                                 "grpc.reflection.v1alpha.ServerReflection"));
  EXPECT_EQ(response.valid_host(), "svnetd");
  EXPECT_EQ(response.original_request().list_services(), "*");
}

TEST(ReflectionAnswersTest, AFileComesWithWhatItImports) {
  ServerReflectionRequest request;
  for (const char* symbol : {"svnet.v1.NetworkService", "svnet.v1.NetworkService.CreateTap",
                             "svnet.v1.Tap", "svnet.v1.Lifetime.UntilDetached"}) {
    request.set_file_containing_symbol(symbol);
    EXPECT_THAT(FilesIn(AnswerReflection(request)),
                ElementsAre("svnet/v1/network.proto", "google/protobuf/duration.proto",
                            "google/protobuf/field_mask.proto", "google/protobuf/timestamp.proto",
                            "google/rpc/status.proto", "google/protobuf/any.proto"))
        << symbol;
  }
  request.set_file_by_filename("grpc/health/v1/health.proto");
  EXPECT_THAT(FilesIn(AnswerReflection(request)), ElementsAre("grpc/health/v1/health.proto"));
  // What is in errors' details.
  request.set_file_containing_symbol("google.rpc.ErrorInfo");
  EXPECT_THAT(FilesIn(AnswerReflection(request)), Contains("google/rpc/error_details.proto"));
}

TEST(ReflectionAnswersTest, WhatIsNotThereIsSaid) {
  const auto code = [](const ServerReflectionRequest& request) {
    return AnswerReflection(request).error_response().error_code();
  };
  ServerReflectionRequest request;
  EXPECT_EQ(code(request), 3);  // INVALID_ARGUMENT
  request.set_file_by_filename("../../etc/passwd");
  EXPECT_EQ(code(request), 5);  // NOT_FOUND
  request.set_file_containing_symbol(std::string(10'000, 'x'));
  EXPECT_EQ(code(request), 5);
  request.mutable_file_containing_extension()->set_containing_type("svnet.v1.Tap");
  EXPECT_EQ(code(request), 5);
  request.set_all_extension_numbers_of_type("svnet.v1.Nothing");
  EXPECT_EQ(code(request), 5);
  request.set_all_extension_numbers_of_type("svnet.v1.Tap");
  EXPECT_EQ(code(request), 0);
  EXPECT_THAT(AnswerReflection(request).all_extension_numbers_response().extension_number(),
              IsEmpty());
}

}  // namespace
}  // namespace svnet
