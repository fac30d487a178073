// What server reflection answers. Pure.
#pragma once

#include "grpc/reflection/v1/reflection.pb.h"

namespace svnet {

// Of the files that are linked into svnetd: the contract, and gRPC's own services.
grpc::reflection::v1::ServerReflectionResponse AnswerReflection(
    const grpc::reflection::v1::ServerReflectionRequest& request);

}  // namespace svnet
