#include "daemon/accept/gate_outbox.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <utility>

#include "daemon/base/clock.h"
#include "daemon/base/status_macros.h"

namespace svnet {

GateOutbox::GateOutbox(const Channel* channel) : channel_(channel), last_taken_(MonotonicNow()) {}

absl::Status GateOutbox::Send(Message message, absl::string_view body, UniqueFd descriptor) {
  const bool others_wait = !messages_.empty();
  const uint64_t hands_over = message.kind == MessageKind::kConnection ? message.connection : 0;
  do {
    message.body = std::string(body.substr(0, kMaxPart));
    body.remove_prefix(message.body.size());
    message.more = !body.empty();
    messages_.push_back({.packet = Encode(message),
                         .descriptor = std::exchange(descriptor, UniqueFd()),
                         .connection = hands_over});
  } while (message.more);
  if (others_wait) return absl::OkStatus();
  last_taken_ = MonotonicNow();
  return Flush();
}

absl::Status GateOutbox::Flush() {
  while (!messages_.empty()) {
    const Outgoing& next = messages_.front();
    const absl::Status sent = channel_->Send(next.packet, next.descriptor.get());
    if (absl::IsUnavailable(sent)) return absl::OkStatus();
    SVNET_RETURN_IF_ERROR(sent);
    messages_.pop_front();
    last_taken_ = MonotonicNow();
  }
  return absl::OkStatus();
}

void GateOutbox::Forget(uint64_t connection) {
  std::erase_if(messages_, [&](const Outgoing& each) { return each.connection == connection; });
}

bool GateOutbox::HasUnread() const {
  int bytes = 0;
  return !messages_.empty() || (ioctl(channel_->fd(), SIOCOUTQ, &bytes) == 0 && bytes > 0);
}

}  // namespace svnet
