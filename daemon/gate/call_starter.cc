#include "daemon/gate/call_starter.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/gate/create_taps_call.h"
#include "daemon/gate/event_stream.h"
#include "daemon/gate/status.h"
#include "daemon/gate/unary_call.h"

namespace svnet {
namespace {

// A stream that ends as it begins.
class RefusedStream final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  explicit RefusedStream(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

grpc::ServerUnaryReactor* Refuse(grpc::CallbackServerContext* context, const grpc::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(status);
  return reactor;
}

// Where gRPC's own limits let through what is larger, so that it gets an answer that says so.
grpc::Status CheckSize(size_t size, size_t limit) {
  if (size <= limit) return grpc::Status::OK;
  return ToGrpc(Error(Reason::kQuotaExceeded,
                      absl::StrCat("the request has ", size, " bytes, and may have ", limit)));
}

// Fails only for bytes that are said to be compressed and are not.
grpc::Status Copy(const grpc::ByteBuffer& bytes, std::string* text) {
  grpc::Slice slice;
  if (const grpc::Status status = bytes.DumpToSingleSlice(&slice); !status.ok()) return status;
  text->assign(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return CheckSize(text->size(), kMaxRequestSize);
}

}  // namespace

grpc::Status CallStarter::MayBegin(const std::string& peer) const {
  const auto connection = connections_->Find(peer);
  // Does not happen: each connection is known before gRPC is given it.
  if (connection == nullptr) return {grpc::StatusCode::UNAVAILABLE, "connect again"};
  return connection->status.ok() ? core_->MayBegin() : ToGrpc(connection->status);
}

grpc::Status CallStarter::Read(const std::string& peer, const grpc::ByteBuffer& bytes,
                               CoreCalls::Request* request) const {
  if (const grpc::Status status = MayBegin(peer); !status.ok()) return status;
  if (const grpc::Status status = CheckSize(bytes.Length(), kMaxRequestSize); !status.ok())
    return status;
  request->connection = connections_->Find(peer)->number;
  return Copy(bytes, &request->body);
}

grpc::ServerUnaryReactor* CallStarter::Call(grpc::CallbackServerContext* context, Method method,
                                            const grpc::ByteBuffer* request,
                                            grpc::ByteBuffer* response) const {
  CoreCalls::Request asked = {.method = method, .connection = 0, .body = ""};
  if (const grpc::Status status = Read(context->peer(), *request, &asked); !status.ok()) {
    return Refuse(context, status);
  }
  const auto call = std::make_shared<UnaryCall>(core_, response);
  if (const grpc::Status status = call->Begin(std::move(asked)); !status.ok()) {
    return Refuse(context, status);
  }
  return call.get();
}

grpc::ServerUnaryReactor* CallStarter::CreateTaps(grpc::CallbackServerContext* context,
                                                  const grpc::ByteBuffer* request,
                                                  grpc::ByteBuffer* response) const {
  if (const grpc::Status status = MayBegin(context->peer()); !status.ok()) {
    return Refuse(context, status);
  }
  if (const grpc::Status status = CheckSize(request->Length(), kMaxBatchSize); !status.ok()) {
    return Refuse(context, status);
  }
  absl::StatusOr<std::vector<std::string>> requests = SplitCreateTaps(*request);
  if (!requests.ok()) return Refuse(context, ToGrpc(requests.status()));
  const uint64_t connection = connections_->Find(context->peer())->number;
  const auto call =
      std::make_shared<CreateTapsCall>(core_, connection, *std::move(requests), response);
  if (const grpc::Status status = call->Begin(); !status.ok()) return Refuse(context, status);
  return call.get();
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* CallStarter::Watch(
    grpc::CallbackServerContext* context, Method method, const grpc::ByteBuffer* request) const {
  CoreCalls::Request asked = {.method = method, .connection = 0, .body = ""};
  if (const grpc::Status status = Read(context->peer(), *request, &asked); !status.ok()) {
    return new RefusedStream(status);
  }
  const auto stream = std::make_shared<EventStream>(core_);
  if (const grpc::Status status = stream->Begin(std::move(asked)); !status.ok()) {
    return new RefusedStream(status);
  }
  return stream.get();
}

}  // namespace svnet
