// A client with nothing but what libsvnet-dev installs: tests/service/run.sh builds it.
#include <grpcpp/grpcpp.h>

#include "svnet/v1/network.grpc.pb.h"

int main() {
  const auto channel =
      grpc::CreateChannel("unix:/nonexistent.sock", grpc::InsecureChannelCredentials());
  const auto stub = svnet::v1::NetworkService::NewStub(channel);
  grpc::ClientContext context;
  svnet::v1::ListTapsResponse response;
  const grpc::Status status = stub->ListTaps(&context, svnet::v1::ListTapsRequest(), &response);
  return status.error_code() == grpc::StatusCode::UNAVAILABLE ? 0 : 1;
}
