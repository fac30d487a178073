#include "daemon/rpc/stream_pump.h"

#include <utility>

namespace svnet {

StreamPump::StreamPump() : thread_([this] { Work(); }) {}

StreamPump::~StreamPump() {
  {
    MutexLock lock(&mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void StreamPump::Ask(std::function<void()> move_on) {
  MutexLock lock(&mutex_);
  asked_.push_back(std::move(move_on));
  changed_.notify_all();
}

void StreamPump::Enter() {
  MutexLock lock(&mutex_);
  ++streams_;
}

void StreamPump::Leave() {
  MutexLock lock(&mutex_);
  --streams_;
  changed_.notify_all();
}

void StreamPump::WaitForStreams(absl::Time deadline) {
  MutexLock lock(&mutex_);
  const auto end = absl::ToChronoTime(deadline);
  while (streams_ > 0 && changed_.wait_until(mutex_, end) == std::cv_status::no_timeout) {
  }
}

void StreamPump::Work() {
  while (true) {
    std::function<void()> move_on;
    {
      MutexLock lock(&mutex_);
      while (!stopped_ && asked_.empty()) changed_.wait(mutex_);
      if (stopped_) return;
      move_on = std::move(asked_.front());
      asked_.pop_front();
    }
    move_on();
  }
}

}  // namespace svnet
