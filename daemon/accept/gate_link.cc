#include "daemon/accept/gate_link.h"

#include <algorithm>

#include "daemon/base/clock.h"
#include "daemon/rpc/error_details.h"

namespace svnet {

GateLink::GateLink(uint64_t number, bool for_metrics, Channel channel, const Services* services,
                   std::function<void(End)> on_end)
    : channel_(std::move(channel)),
      out_(&channel_),
      services_(services),
      on_end_(std::move(on_end)),
      calls_({.gate = number,
              .for_metrics = for_metrics,
              .runner = services->runner,
              .wakes = services->wakes,
              .metrics_page = &services->metrics_page,
              .out = &out_,
              .send = [this](Message message,
                             absl::string_view body) { Send(std::move(message), body); }}),
      last_heard_(MonotonicNow()),
      check_at_(last_heard_ + kPatience / 2) {}

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
  if (verdict.ok()) calls_.Add(connection, std::move(caller));
  Send(
      {.kind = MessageKind::kConnection, .connection = connection, .status = ToWireStatus(verdict)},
      "", std::move(fd));
}

void GateLink::Forget(uint64_t connection) {
  calls_.Forget(connection);
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
      return is_ready_ && calls_.Call(std::move(message));
    case MessageKind::kCancel:
      return calls_.Cancel(message.id);
    case MessageKind::kPull:
      return calls_.Pull(message.id);
    case MessageKind::kDrained:
      return is_draining_ && !std::exchange(is_drained_, true);
    default:
      return false;
  }
}

void GateLink::Drain(const absl::Status& why) {
  is_draining_ = true;
  calls_.Drain();
  Send({.kind = MessageKind::kDrain, .status = ToWireStatus(why)});
}

void GateLink::Send(Message message, absl::string_view body, UniqueFd descriptor) {
  if (ended_) return;
  GoOnAfter(out_.Send(std::move(message), body, std::move(descriptor)));
}

void GateLink::GoOnAfter(const absl::Status& sent) {
  if (!sent.ok()) return Finish(End::kDied);
  Listen();
  if (!ended_) calls_.MoveOnAll();
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
