#include "daemon/accept/gate_link.h"

#include <algorithm>

#include "daemon/base/clock.h"
#include "daemon/rpc/error_details.h"

namespace svnet {

GateLink::GateLink(uint64_t number, bool for_metrics, Channel channel, const Services* services,
                   std::function<void(End)> on_end)
    : number_(number),
      for_metrics_(for_metrics),
      channel_(std::move(channel)),
      out_(&channel_),
      services_(services),
      on_end_(std::move(on_end)),
      last_heard_(MonotonicNow()),
      check_at_(last_heard_ + kPatience / 2) {}

GateLink::~GateLink() {
  Stop();
  for (auto& [id, watch] : watches_) watch.source->Close();
}

absl::Status GateLink::Start() {
  events_ = EPOLLIN;
  const auto id =
      services_->poller->Add(channel_.fd(), events_, [this](uint32_t events) { OnEvents(events); });
  if (id.ok()) watch_ = *id;
  return id.status();
}

void GateLink::Stop() {
  ended_ = true;
  services_->poller->Remove(std::exchange(watch_, 0));
}

void GateLink::Finish(End end) {
  if (ended_) return;
  Stop();
  on_end_(end);
}

void GateLink::HandOver(uint64_t connection, std::shared_ptr<const Caller> caller,
                        const absl::Status& verdict, UniqueFd fd) {
  if (verdict.ok()) callers_.emplace(connection, std::move(caller));
  Send(
      {.kind = MessageKind::kConnection, .connection = connection, .status = ToWireStatus(verdict)},
      std::move(fd));
}

void GateLink::Forget(uint64_t connection) {
  callers_.erase(connection);
  out_.Forget(connection);
  if (!ended_) Listen();
}

void GateLink::OnEvents(uint32_t events) {
  if ((events & EPOLLOUT) != 0) GoOnAfter(out_.Flush());
  if (ended_ || (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
  // Nothing is read while something is unsent, but the end is seen all the same.
  if (!out_.empty()) {
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) Finish(End::kDied);
    return;
  }
  const absl::StatusOr<Channel::Packet> packet = channel_.Receive(kMaxPacket, false);
  if (absl::IsUnavailable(packet.status())) return;
  if (!packet.ok())
    return Finish(absl::IsOutOfRange(packet.status()) ? End::kProtocol : End::kDied);
  last_heard_ = MonotonicNow();
  absl::StatusOr<Message> message = Decode(packet->bytes);
  if (!message.ok() || !Handle(*std::move(message))) Finish(End::kProtocol);
}

bool GateLink::Handle(Message message) {
  const bool calls = message.kind == MessageKind::kCall;
  if (!calls && (!message.body.empty() || message.connection != 0)) return false;
  if (message.more || message.status != WireStatus()) return false;
  switch (message.kind) {
    case MessageKind::kReady:
      return !std::exchange(is_ready_, true);
    case MessageKind::kCall:
      return OnCall(std::move(message));
    case MessageKind::kCancel:
      return OnCancel(message.id);
    case MessageKind::kPull:
      return OnPull(message.id);
    case MessageKind::kDrained:
      return is_draining_ && !std::exchange(is_drained_, true);
    default:
      return false;
  }
}

bool GateLink::OnCall(Message message) {
  const bool in_order = is_ready_ && message.id > last_call_;
  if (!in_order || message.body.size() > kMaxRequestSize ||
      for_metrics_ != (message.method == Method::kMetricsPage) ||
      parked_.size() >= kMaxCallsInCore || watches_.size() >= kMaxWatchesOfGate) {
    return false;
  }
  last_call_ = message.id;
  if (for_metrics_) {
    Answer(message.id, services_->metrics_page());
    return true;
  }
  const auto found = callers_.find(message.connection);
  if (found == callers_.end()) {  // its connection has ended meanwhile
    IsWatch(message.method) ? EndWatch(message.id, absl::CancelledError())
                            : Answer(message.id, absl::CancelledError());
  } else if (IsWatch(message.method)) {
    BeginWatch(*found->second, message);
  } else {
    Try(message.id,
        {.caller = *found->second,
         .method = message.method,
         .request = std::move(message.body),
         .since = MonotonicNow()},
        is_draining_);
  }
  return true;
}

bool GateLink::OnCancel(uint64_t call) {
  if (call > last_call_) return false;
  if (parked_.erase(call) > 0) Answer(call, absl::CancelledError());
  if (watches_.count(call) > 0) EndWatch(call, absl::CancelledError());
  return true;  // what is answered already crossed it
}

bool GateLink::OnPull(uint64_t call) {
  if (call > last_call_) return false;
  const auto found = watches_.find(call);
  if (found == watches_.end()) return parked_.count(call) == 0;
  if (std::exchange(found->second.pulled, true)) return false;
  MoveOn(call);
  return true;
}

void GateLink::Try(uint64_t id, CallRunner::Call call, bool must_end) {
  const auto answer = services_->runner->Run(call, must_end);
  if (answer.has_value()) return Answer(id, *answer);
  parked_.emplace(id, std::move(call));
}

void GateLink::Resume(bool must_end) {
  std::map<uint64_t, CallRunner::Call> parked = std::move(parked_);
  parked_.clear();
  for (auto& [id, call] : parked) Try(id, std::move(call), must_end);
}

void GateLink::Answer(uint64_t id, const absl::StatusOr<std::string>& answer) {
  SendWithBody({.kind = MessageKind::kAnswer, .id = id, .status = ToWireStatus(answer.status())},
               answer.ok() ? absl::string_view(*answer) : "");
}

void GateLink::BeginWatch(const Caller& caller, const Message& message) {
  const WakeList::Watch watch = {.gate = number_, .call = message.id};
  const auto source =
      services_->runner->Watch(caller, message.method, message.body,
                               [wakes = services_->wakes, watch] { wakes->Wake(watch); });
  if (!source.ok()) return EndWatch(message.id, source.status());
  watches_.emplace(message.id, OpenWatch{.source = *source});
  Send({.kind = MessageKind::kBegun, .id = message.id});
}

void GateLink::EndWatch(uint64_t id, const absl::Status& why) {
  if (const auto found = watches_.find(id); found != watches_.end()) {
    found->second.source->Close();
    watches_.erase(found);
    ready_.erase(id);
  }
  Send({.kind = MessageKind::kEnd, .id = id, .status = ToWireStatus(why)});
}

void GateLink::MoveOn(uint64_t call) {
  const auto found = watches_.find(call);
  if (ended_ || found == watches_.end() || !found->second.pulled) return;
  if (!out_.empty()) {
    ready_.insert(call);
    return;
  }
  const std::optional<absl::StatusOr<std::string>> next = found->second.source->Take();
  if (!next.has_value()) return;
  if (!next->ok()) return EndWatch(call, next->status());
  found->second.pulled = false;
  SendWithBody({.kind = MessageKind::kEvent, .id = call}, **next);
}

void GateLink::Drain(const absl::Status& why) {
  is_draining_ = true;
  Send({.kind = MessageKind::kDrain, .status = ToWireStatus(why)});
}

void GateLink::SendWithBody(Message message, absl::string_view body) {
  do {
    const absl::string_view part = body.substr(0, kMaxPart);
    body.remove_prefix(part.size());
    message.body = std::string(part);
    message.more = !body.empty();
    Send(message);
  } while (message.more);
}

void GateLink::Send(const Message& message, UniqueFd descriptor) {
  if (ended_) return;
  GoOnAfter(out_.Send(message, std::move(descriptor)));
}

void GateLink::GoOnAfter(const absl::Status& sent) {
  if (!sent.ok()) return Finish(End::kDied);
  Listen();
  while (!ended_ && out_.empty() && !ready_.empty()) {
    const uint64_t call = *ready_.begin();
    ready_.erase(ready_.begin());
    MoveOn(call);
  }
}

bool GateLink::IsStuck(absl::Time now) {
  if (now < check_at_) return false;
  check_at_ = now + kPatience / 2;
  if (out_.HasUnread()) return std::max(last_heard_, out_.last_taken()) + kPatience <= now;
  Send({.kind = MessageKind::kPing});
  return false;
}

void GateLink::Listen() {
  const uint32_t events = out_.empty() ? EPOLLIN : EPOLLOUT;
  if (watch_ == 0 || events_ == events) return;
  events_ = events;
  if (!services_->poller->Change(watch_, events).ok()) Finish(End::kDied);
}

}  // namespace svnet
