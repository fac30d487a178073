// Clients that were built with an earlier contract work for ever: nothing that is in
// tests/vectors/contract.txt is removed or changed.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/substitute.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpc/health/v1/health.pb.h"
#include "grpc/reflection/v1/reflection.pb.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "svnet/v1/network.pb.h"

namespace svnet {
namespace {

using ::google::protobuf::Descriptor;
using ::google::protobuf::DescriptorPool;
using ::google::protobuf::DescriptorProto;
using ::google::protobuf::EnumDescriptor;
using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::FieldDescriptorProto;
using ::google::protobuf::FileDescriptor;
using ::google::protobuf::FileDescriptorProto;
using ::google::protobuf::MethodDescriptor;
using ::google::protobuf::MethodDescriptorProto;
using ::google::protobuf::ServiceDescriptor;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// What clients rely on, one line for each declaration.
using Contract = std::set<std::string>;

std::string TypeOf(const FieldDescriptor& field) {
  if (field.message_type() != nullptr) return field.message_type()->full_name();
  if (field.enum_type() != nullptr) return field.enum_type()->full_name();
  return field.type_name();
}

std::string LabelOf(const FieldDescriptor& field) {
  if (const auto* oneof = field.real_containing_oneof())
    return absl::StrCat("oneof ", oneof->name());
  if (field.is_repeated()) return "repeated";
  return field.has_presence() ? "optional" : "plain";
}

void AddEnum(const EnumDescriptor& type, Contract* contract) {
  for (int i = 0; i < type.value_count(); ++i) {
    contract->insert(absl::Substitute("enum $0: $1 = $2", type.full_name(), type.value(i)->name(),
                                      type.value(i)->number()));
  }
}

void AddMessage(const Descriptor& type, Contract* contract) {
  contract->insert(absl::StrCat("message ", type.full_name()));
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    contract->insert(absl::Substitute("message $0: $1 $2 $3 = $4, in JSON $5", type.full_name(),
                                      LabelOf(field), TypeOf(field), field.name(), field.number(),
                                      field.json_name()));
  }
  for (int i = 0; i < type.enum_type_count(); ++i) AddEnum(*type.enum_type(i), contract);
  for (int i = 0; i < type.nested_type_count(); ++i) AddMessage(*type.nested_type(i), contract);
}

void AddService(const ServiceDescriptor& service, Contract* contract) {
  const auto side = [](bool streaming, const Descriptor* type) {
    return absl::StrCat(streaming ? "stream " : "", type->full_name());
  };
  for (int i = 0; i < service.method_count(); ++i) {
    const MethodDescriptor& method = *service.method(i);
    contract->insert(absl::Substitute("service $0: rpc $1($2) returns ($3)", service.full_name(),
                                      method.name(),
                                      side(method.client_streaming(), method.input_type()),
                                      side(method.server_streaming(), method.output_type())));
  }
}

void AddFile(const FileDescriptor& file, Contract* contract) {
  contract->insert(absl::Substitute("file $0: package $1, in Go $2, in Java $3", file.name(),
                                    file.package(), file.options().go_package(),
                                    file.options().java_package()));
  for (int i = 0; i < file.message_type_count(); ++i) AddMessage(*file.message_type(i), contract);
  for (int i = 0; i < file.enum_type_count(); ++i) AddEnum(*file.enum_type(i), contract);
  for (int i = 0; i < file.service_count(); ++i) AddService(*file.service(i), contract);
}

Contract DescribeAll() {
  Contract contract;
  for (const Descriptor* type :
       {v1::Tap::descriptor(), ::google::rpc::Status::descriptor(),
        ::google::rpc::ErrorInfo::descriptor(),
        ::grpc::health::v1::HealthCheckRequest::descriptor(),
        ::grpc::reflection::v1::ServerReflectionRequest::descriptor(),
        ::grpc::reflection::v1alpha::ServerReflectionRequest::descriptor()}) {
    AddFile(*type->file(), &contract);
  }
  return contract;
}

Contract Committed() {
  Contract contract;
  std::ifstream file(SVNET_CONTRACT);
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && !absl::StartsWith(line, "#")) contract.insert(line);
  }
  return contract;
}

// The lines of `all` that are not in `contract`.
Contract Missing(const Contract& all, const Contract& contract) {
  Contract missing;
  std::set_difference(all.begin(), all.end(), contract.begin(), contract.end(),
                      std::inserter(missing, missing.end()));
  return missing;
}

TEST(ContractTest, RemovesAndChangesNothingThatClientsRelyOn) {
  EXPECT_THAT(Missing(Committed(), DescribeAll()), IsEmpty())
      << "These declarations of proto/ were removed or changed. Add new ones beside them instead.";
}

// What is not in the file could be removed later without a failure.
TEST(ContractTest, HasEachAdditionCommitted) {
  const Contract additions = Missing(DescribeAll(), Committed());
  EXPECT_THAT(additions, IsEmpty())
      << "Additions are welcome. Append them to " << SVNET_CONTRACT << ":\n"
      << absl::StrJoin(additions, "\n");
}

// A copy of the contract with a change, which the tests above would have to find or to allow.
struct Change {
  std::string name;
  std::function<void(FileDescriptorProto*)> make;

  friend void PrintTo(const Change& change, std::ostream* out) { *out << change.name; }
};

template <typename Named>
Named* Find(::google::protobuf::RepeatedPtrField<Named>* all, const std::string& name) {
  const auto found = std::find_if(all->begin(), all->end(),
                                  [&](const Named& each) { return each.name() == name; });
  EXPECT_NE(found, all->end()) << name;
  return &*found;
}

template <typename Named>
void Remove(::google::protobuf::RepeatedPtrField<Named>* all, const std::string& name) {
  const auto found = std::find_if(all->begin(), all->end(),
                                  [&](const Named& each) { return each.name() == name; });
  ASSERT_NE(found, all->end()) << name;
  all->erase(found);
}

DescriptorProto* Message(FileDescriptorProto* file, const std::string& name) {
  return Find(file->mutable_message_type(), name);
}

FieldDescriptorProto* TapName(FileDescriptorProto* file) {
  return Find(Message(file, "Tap")->mutable_field(), "tap_name");
}

MethodDescriptorProto* Rpc(FileDescriptorProto* file, const std::string& name) {
  return Find(Find(file->mutable_service(), "NetworkService")->mutable_method(), name);
}

void AddImports(const FileDescriptor& file, DescriptorPool* pool) {
  for (int i = 0; i < file.dependency_count(); ++i) {
    const FileDescriptor& imported = *file.dependency(i);
    if (pool->FindFileByName(imported.name()) != nullptr) continue;
    AddImports(imported, pool);
    FileDescriptorProto copy;
    imported.CopyTo(&copy);
    EXPECT_NE(pool->BuildFile(copy), nullptr);
  }
}

// The lines that the contract of network.proto loses by this change.
Contract LostBy(const Change& change) {
  const FileDescriptor& now = *v1::Tap::descriptor()->file();
  DescriptorPool pool;
  AddImports(now, &pool);
  FileDescriptorProto changed;
  now.CopyTo(&changed);
  change.make(&changed);
  const FileDescriptor* const file = pool.BuildFile(changed);
  Contract before, after;
  AddFile(now, &before);
  if (file != nullptr) AddFile(*file, &after);
  EXPECT_THAT(after, Not(IsEmpty())) << "the change makes no valid file";
  return Missing(before, after);
}

class BreakingChangeTest : public ::testing::TestWithParam<Change> {};

TEST_P(BreakingChangeTest, IsFound) { EXPECT_THAT(LostBy(GetParam()), SizeIs(1)); }

INSTANTIATE_TEST_SUITE_P(
    ContractTest, BreakingChangeTest,
    ::testing::Values(
        Change{"RemovesField",
               [](auto* file) { Remove(Message(file, "Tap")->mutable_field(), "mtu"); }},
        Change{"RenamesField", [](auto* file) { TapName(file)->set_name("name"); }},
        Change{"RenamesFieldInJson", [](auto* file) { TapName(file)->set_json_name("name"); }},
        Change{"RenumbersField", [](auto* file) { TapName(file)->set_number(100); }},
        Change{"ChangesTypeOfField",
               [](auto* file) { TapName(file)->set_type(FieldDescriptorProto::TYPE_BYTES); }},
        Change{"RepeatsField",
               [](auto* file) { TapName(file)->set_label(FieldDescriptorProto::LABEL_REPEATED); }},
        Change{"MovesFieldOutOfOneof",
               [](auto* file) {
                 auto* fields = Message(file, "Lifetime")->mutable_field();
                 Find(fields, "until_detached")->clear_oneof_index();
               }},
        Change{"RenumbersValueOfEnum",
               [](auto* file) {
                 auto* type = Find(file->mutable_enum_type(), "ErrorReason");
                 Find(type->mutable_value(), "INVALID_ID")->set_number(100);
               }},
        Change{"RemovesValueOfEnum",
               [](auto* file) {
                 auto* type = Find(file->mutable_enum_type(), "ErrorReason");
                 Remove(type->mutable_value(), "INVALID_ID");
               }},
        Change{"RemovesRpc",
               [](auto* file) {
                 auto* service = Find(file->mutable_service(), "NetworkService");
                 Remove(service->mutable_method(), "GetMetrics");
               }},
        Change{"ChangesRequestOfRpc",
               [](auto* file) {
                 Rpc(file, "GetMetrics")->set_input_type(".svnet.v1.GetNetworkRequest");
               }},
        Change{"StreamsAnswers",
               [](auto* file) { Rpc(file, "ListTaps")->set_server_streaming(true); }},
        Change{"RenamesPackageForGo",
               [](auto* file) { file->mutable_options()->set_go_package("other"); }}),
    [](const auto& test) { return test.param.name; });

TEST(ContractTest, AllowsAdditions) {
  const Change additions = {.make = [](FileDescriptorProto* file) {
    FieldDescriptorProto* const field = Message(file, "Tap")->add_field();
    field->set_name("added");
    field->set_number(100);
    field->set_type(FieldDescriptorProto::TYPE_STRING);
    field->set_label(FieldDescriptorProto::LABEL_OPTIONAL);
    file->add_message_type()->set_name("Added");
    auto* const reason = Find(file->mutable_enum_type(), "ErrorReason")->add_value();
    reason->set_name("ADDED");
    reason->set_number(100);
    MethodDescriptorProto* const rpc =
        Find(file->mutable_service(), "NetworkService")->add_method();
    rpc->set_name("Add");
    rpc->set_input_type(".svnet.v1.Added");
    rpc->set_output_type(".svnet.v1.Added");
  }};
  EXPECT_THAT(LostBy(additions), IsEmpty());
}

}  // namespace
}  // namespace svnet
