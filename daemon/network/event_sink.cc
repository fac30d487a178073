#include "daemon/network/event_sink.h"

namespace svnet {

void EventSink::Publish(const TapEvent& event) {
  MutexLock lock(&mutex_);
  watchers_.Publish(event);
  if (event.message.empty()) return;
  for (const Observer& observer : observers_) observer(event);
}

absl::StatusOr<std::shared_ptr<Watch>> EventSink::AddWatch(
    const Caller& caller, const std::optional<NetworkName>& network, std::deque<TapEvent> snapshot,
    std::function<void()> wake) {
  MutexLock lock(&mutex_);
  return watchers_.Add(caller, network, std::move(snapshot), std::move(wake));
}

void EventSink::EndWatches(const absl::Status& why) {
  MutexLock lock(&mutex_);
  watchers_.EndAll(why);
}

size_t EventSink::watch_count() {
  MutexLock lock(&mutex_);
  return watchers_.count();
}

}  // namespace svnet
