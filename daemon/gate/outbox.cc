#include "daemon/gate/outbox.h"

#include <unistd.h>

#include <thread>
#include <utility>

namespace svnet {

void Outbox::Send(const Message& message) {
  std::string packet = Encode(message);
  MutexLock lock(&mutex_);
  if (waiting_.empty()) {
    const absl::Status sent = core_->Send(packet);
    if (sent.ok()) return;
    if (!absl::IsUnavailable(sent)) _exit(0);
  }
  waiting_.push_back(std::move(packet));
  if (!std::exchange(started_, true)) std::thread([this] { SendWaiting(); }).detach();
  changed_.notify_one();
}

void Outbox::SendWaiting() {
  while (true) {
    std::string packet;
    {
      MutexLock lock(&mutex_);
      while (waiting_.empty()) changed_.wait(mutex_);
      packet = waiting_.front();
    }
    if (!core_->Send(packet, -1, true).ok()) _exit(0);
    MutexLock lock(&mutex_);
    // Only now: until it was sent, what came after it had to wait behind it.
    waiting_.pop_front();
  }
}

}  // namespace svnet
