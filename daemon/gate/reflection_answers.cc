#include "daemon/gate/reflection_answers.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <grpcpp/support/status.h>

#include <set>
#include <string>

#include "grpc/health/v1/health.pb.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "svnet/v1/network.pb.h"

namespace svnet {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using grpc::reflection::v1::FileDescriptorResponse;
using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;

const FileDescriptor* const* ServedFiles() {
  static const FileDescriptor* const files[] = {
      v1::Tap::descriptor()->file(), grpc::health::v1::HealthCheckRequest::descriptor()->file(),
      ServerReflectionRequest::descriptor()->file(),
      grpc::reflection::v1alpha::ServerReflectionRequest::descriptor()->file(), nullptr};
  return files;
}

void ListServices(ServerReflectionResponse* response) {
  auto* services = response->mutable_list_services_response();
  for (const auto* file = ServedFiles(); *file != nullptr; ++file) {
    for (int i = 0; i < (*file)->service_count(); ++i) {
      services->add_service()->set_name((*file)->service(i)->full_name());
    }
  }
}

void Refuse(grpc::StatusCode code, const std::string& message, ServerReflectionResponse* response) {
  response->mutable_error_response()->set_error_code(code);
  response->mutable_error_response()->set_error_message(message);
}

// What it imports comes with it, and each file once.
void AddFile(const FileDescriptor& file, std::set<const FileDescriptor*>* added,
             FileDescriptorResponse* response) {
  if (!added->insert(&file).second) return;
  google::protobuf::FileDescriptorProto proto;
  file.CopyTo(&proto);
  response->add_file_descriptor_proto(proto.SerializeAsString());
  for (int i = 0; i < file.dependency_count(); ++i) AddFile(*file.dependency(i), added, response);
}

void AnswerFile(const FileDescriptor* file, ServerReflectionResponse* response) {
  if (file == nullptr) return Refuse(grpc::StatusCode::NOT_FOUND, "there is none", response);
  std::set<const FileDescriptor*> added;
  AddFile(*file, &added, response->mutable_file_descriptor_response());
}

// The contract has no extensions.
void ListExtensions(const std::string& type, ServerReflectionResponse* response) {
  if (DescriptorPool::generated_pool()->FindMessageTypeByName(type) == nullptr) {
    return Refuse(grpc::StatusCode::NOT_FOUND, "there is no such message", response);
  }
  response->mutable_all_extension_numbers_response()->set_base_type_name(type);
}

}  // namespace

ServerReflectionResponse AnswerReflection(const ServerReflectionRequest& request) {
  ServerReflectionResponse response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  switch (request.message_request_case()) {
    case ServerReflectionRequest::kListServices:
      ListServices(&response);
      break;
    case ServerReflectionRequest::kFileByFilename:
      AnswerFile(pool.FindFileByName(request.file_by_filename()), &response);
      break;
    case ServerReflectionRequest::kFileContainingSymbol:
      AnswerFile(pool.FindFileContainingSymbol(request.file_containing_symbol()), &response);
      break;
    case ServerReflectionRequest::kFileContainingExtension:
      Refuse(grpc::StatusCode::NOT_FOUND, "there are no extensions", &response);
      break;
    case ServerReflectionRequest::kAllExtensionNumbersOfType:
      ListExtensions(request.all_extension_numbers_of_type(), &response);
      break;
    case ServerReflectionRequest::MESSAGE_REQUEST_NOT_SET:
      Refuse(grpc::StatusCode::INVALID_ARGUMENT, "the request asks for nothing", &response);
      break;
  }
  return response;
}

}  // namespace svnet
