#include "daemon/gate/create_taps_call.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/gate/status.h"
#include "google/rpc/status.pb.h"

namespace svnet {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

constexpr uint32_t kRequestTag = WireFormatLite::MakeTag(
    v1::CreateTapsRequest::kRequestsFieldNumber, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);

absl::Status NoMessage() {
  return Error(Reason::kInvalidRequest, "the request is not a protobuf message");
}

google::rpc::Status ToProto(const WireStatus& status) {
  google::rpc::Status proto;
  if (!status.details.empty() && proto.ParseFromString(status.details)) return proto;
  proto.Clear();
  proto.set_code(status.code);
  proto.set_message(status.text);
  return proto;
}

WireStatus ToWire(const grpc::Status& status) {
  return {.code = static_cast<uint8_t>(status.error_code()),
          .text = status.error_message(),
          .details = status.error_details()};
}

absl::Status CheckItem(uint32_t size, size_t count) {
  if (count == kMaxBatchItems) {
    return Error(Reason::kInvalidRequest, absl::StrCat("there are more than ", kMaxBatchItems,
                                                       " requests: make more calls"));
  }
  if (size <= kMaxRequestSize) return absl::OkStatus();
  return Error(Reason::kInvalidRequest, absl::StrCat("request ", count, " has ", size,
                                                     " bytes, and may have ", kMaxRequestSize));
}

}  // namespace

absl::StatusOr<std::vector<std::string>> SplitCreateTaps(const grpc::ByteBuffer& bytes) {
  grpc::Slice slice;
  if (!bytes.DumpToSingleSlice(&slice).ok()) return NoMessage();
  CodedInputStream input(slice.begin(), static_cast<int>(slice.size()));
  std::vector<std::string> requests;
  while (const uint32_t tag = input.ReadTag()) {
    if (tag != kRequestTag) {
      if (!WireFormatLite::SkipField(&input, tag)) return NoMessage();
      continue;
    }
    uint32_t size = 0;
    if (!input.ReadVarint32(&size)) return NoMessage();
    if (const absl::Status item = CheckItem(size, requests.size()); !item.ok()) return item;
    if (!input.ReadString(&requests.emplace_back(), static_cast<int>(size))) return NoMessage();
  }
  if (!input.ConsumedEntireMessage()) return NoMessage();
  if (requests.empty()) return Error(Reason::kInvalidRequest, "there are no requests");
  return requests;
}

grpc::Status CreateTapsCall::Begin() {
  // Before it begins: an answer may be there before that returns.
  self_ = shared_from_this();
  CoreCalls::Request first;
  {
    MutexLock lock(&mutex_);
    first = Next();
  }
  const grpc::Status status = core_->Begin(std::move(first), self_);
  if (!status.ok()) self_ = nullptr;
  return status;
}

CoreCalls::Request CreateTapsCall::Next() {
  return {.method = Method::kCreateTap,
          .connection = connection_,
          .body = std::exchange(requests_[next_++], "")};
}

void CreateTapsCall::Note(const WireStatus& status, const std::string& body) {
  v1::CreateTapsResult* result = results_.add_results();
  v1::CreateTapResponse response;
  if (!status.ok() || !response.ParseFromString(body)) {
    *result->mutable_error() = ToProto(status);
    return;
  }
  result->set_created(response.created());
  result->mutable_tap()->Swap(response.mutable_tap());
}

bool CreateTapsCall::GoOn() {
  if (cancelled_ || next_ == requests_.size()) return false;
  const grpc::Status status = core_->GoOn(Next(), self_);
  if (status.ok()) return true;
  // svnetd ends: so it is for all that are left.
  const WireStatus why = ToWire(status);
  Note(why, "");
  for (; next_ < requests_.size(); ++next_) Note(why, "");
  return false;
}

void CreateTapsCall::OnEnd(const WireStatus& status, std::string body) {
  bool cancelled = false;
  {
    MutexLock lock(&mutex_);
    Note(status, body);
    if (GoOn()) return;
    cancelled = cancelled_;
  }
  if (cancelled) {
    Finish(grpc::Status::CANCELLED);
  } else {
    FinishWithResults();
  }
}

void CreateTapsCall::FinishWithResults() {
  {
    MutexLock lock(&mutex_);
    const grpc::Slice slice(results_.SerializeAsString());
    *response_ = grpc::ByteBuffer(&slice, 1);
  }
  Finish(grpc::Status::OK);
}

void CreateTapsCall::OnCancel() {
  {
    MutexLock lock(&mutex_);
    cancelled_ = true;
    // If not, OnEnd is about to see that it is cancelled, or has finished it.
    if (!core_->Cancel(this)) return;
  }
  Finish(grpc::Status::CANCELLED);
}

void CreateTapsCall::OnDone() {
  // The last that uses it, unless OnEnd is still on its way out.
  const std::shared_ptr<CreateTapsCall> self = std::move(self_);
  core_->Done();
}

}  // namespace svnet
