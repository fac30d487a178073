#include "daemon/gate/core_calls.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/error.h"
#include "daemon/gate/status.h"

namespace svnet {
namespace {

// Whether svnetd may say that of a call.
bool Fits(MessageKind kind, bool is_watch) {
  switch (kind) {
    case MessageKind::kAnswer:
      return !is_watch;
    case MessageKind::kBegun:
    case MessageKind::kEvent:
    case MessageKind::kEnd:
      return is_watch;
    default:
      return false;
  }
}

bool IsLast(MessageKind kind) { return kind == MessageKind::kAnswer || kind == MessageKind::kEnd; }

}  // namespace

grpc::Status CoreCalls::Begin(Request request, std::shared_ptr<CallListener> listener) {
  MutexLock lock(&mutex_);
  if (draining_.has_value()) return ToGrpc(*draining_);
  const bool is_watch = IsWatch(request.method);
  if (is_watch && watches_ >= kMaxWatchesOfGate) {
    return ToGrpc(Error(Reason::kQuotaExceeded,
                        absl::StrCat("this user has ", watches_,
                                     " watches open, and may have no more: close some")));
  }
  if (is_watch || unary_ < kMaxCallsInCore) {
    Ask(std::move(request), std::move(listener));
  } else if (waiting_.size() < kMaxWaiting) {
    // A caller that has many calls waiting sees svnetd's health, too.
    const bool first = request.method == Method::kHealthCheck;
    Wait(first ? waiting_.begin() : waiting_.end(), std::move(request), std::move(listener));
  } else {
    return ToGrpc(Error(Reason::kQuotaExceeded,
                        absl::StrCat("this user has ", kMaxWaiting,
                                     " calls waiting: wait for some of them to be answered")));
  }
  ++unanswered_;
  return grpc::Status::OK;
}

grpc::Status CoreCalls::GoOn(Request request, std::shared_ptr<CallListener> listener) {
  MutexLock lock(&mutex_);
  if (draining_.has_value()) return ToGrpc(*draining_);
  if (unary_ < kMaxCallsInCore) {
    Ask(std::move(request), std::move(listener));
  } else {
    Wait(waiting_.begin(), std::move(request), std::move(listener));
  }
  return grpc::Status::OK;
}

void CoreCalls::Wait(std::deque<Waiting>::iterator place, Request request,
                     std::shared_ptr<CallListener> listener) {
  listener->id_ = 0;
  waiting_.insert(place, {std::move(request), std::move(listener)});
}

void CoreCalls::Ask(Request request, std::shared_ptr<CallListener> listener) {
  const uint64_t id = ++last_id_;
  listener->id_ = id;
  const bool is_watch = IsWatch(request.method);
  ++(is_watch ? watches_ : unary_);
  calls_.emplace(id, Call{.is_watch = is_watch, .listener = std::move(listener), .body = ""});
  outbox_->Send({.kind = MessageKind::kCall,
                 .method = request.method,
                 .id = id,
                 .connection = request.connection,
                 .status = {},
                 .body = std::move(request.body)});
}

void CoreCalls::AskNext() {
  if (waiting_.empty() || unary_ >= kMaxCallsInCore) return;
  Waiting next = std::move(waiting_.front());
  waiting_.pop_front();
  Ask(std::move(next.request), std::move(next.listener));
}

bool CoreCalls::Cancel(CallListener* listener) {
  MutexLock lock(&mutex_);
  if (listener->id_ == 0) {
    const auto found = std::find_if(waiting_.begin(), waiting_.end(), [&](const Waiting& each) {
      return each.listener.get() == listener;
    });
    if (found == waiting_.end()) return false;
    waiting_.erase(found);
    return true;
  }
  const auto found = calls_.find(listener->id_);
  if (found == calls_.end() || found->second.listener == nullptr) return false;
  found->second.listener = nullptr;
  outbox_->Send({.kind = MessageKind::kCancel, .id = listener->id_, .status = {}, .body = ""});
  return true;
}

void CoreCalls::Pull(CallListener* listener) {
  MutexLock lock(&mutex_);
  const auto found = calls_.find(listener->id_);
  if (found == calls_.end() || found->second.listener == nullptr) return;
  found->second.pulled = true;
  outbox_->Send({.kind = MessageKind::kPull, .id = listener->id_, .status = {}, .body = ""});
}

void CoreCalls::Done() {
  MutexLock lock(&mutex_);
  --unanswered_;
  SayIfDrained();
}

void CoreCalls::Drain(WireStatus status) {
  MutexLock lock(&mutex_);
  draining_ = std::move(status);
  SayIfDrained();
}

grpc::Status CoreCalls::MayBegin() const {
  MutexLock lock(&mutex_);
  return draining_.has_value() ? ToGrpc(*draining_) : grpc::Status::OK;
}

void CoreCalls::SayIfDrained() {
  if (!draining_.has_value() || drained_ || unanswered_ > 0 || !calls_.empty()) return;
  drained_ = true;
  outbox_->Send({.kind = MessageKind::kDrained, .status = {}, .body = ""});
}

absl::Status CoreCalls::Receive(Message message) {
  std::shared_ptr<CallListener> listener;
  std::string body;
  {
    MutexLock lock(&mutex_);
    const auto found = calls_.find(message.id);
    if (found == calls_.end() || !Fits(message.kind, found->second.is_watch)) {
      return absl::InvalidArgumentError("svnetd answers what was not asked");
    }
    Call& call = found->second;
    call.body += message.body;
    if (message.more) return absl::OkStatus();
    body = std::exchange(call.body, "");
    listener = call.listener;
    if (message.kind == MessageKind::kEvent && !std::exchange(call.pulled, false)) {
      return absl::InvalidArgumentError("svnetd sends an event that was not pulled");
    }
    if (IsLast(message.kind)) {
      --(call.is_watch ? watches_ : unary_);
      calls_.erase(found);
      AskNext();
      SayIfDrained();
    }
  }
  if (listener == nullptr) return absl::OkStatus();
  if (message.kind == MessageKind::kBegun) {
    listener->OnBegun();
  } else if (message.kind == MessageKind::kEvent) {
    listener->OnEvent(std::move(body));
  } else {
    listener->OnEnd(message.status, std::move(body));
  }
  return absl::OkStatus();
}

}  // namespace svnet
