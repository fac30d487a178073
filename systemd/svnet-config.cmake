# The contract's messages and the client side of its service, for C++:
#
#   find_package(svnet REQUIRED)
#   target_link_libraries(supervisor PRIVATE svnet::svnet_grpc)
#
# and #include "svnet/v1/network.grpc.pb.h".
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(Protobuf)
find_dependency(gRPC CONFIG)
include("${CMAKE_CURRENT_LIST_DIR}/svnet-targets.cmake")
