#include "daemon/rpc/call_queue.h"

#include <utility>

namespace svnet {

CallQueue::CallQueue() : thread_([this] { Work(); }) {}

CallQueue::~CallQueue() {
  {
    MutexLock lock(&mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

CallQueue::Admission CallQueue::Submit(uid_t uid, Call call) {
  MutexLock lock(&mutex_);
  if (closed_) return Admission::kClosed;
  std::deque<Call>& line = waiting_[uid];
  if (line.size() >= kMaxWaiting) return Admission::kTooMany;
  if (line.empty()) turns_.push_back(uid);
  line.push_back(std::move(call));
  ++unanswered_;
  changed_.notify_all();
  return Admission::kAccepted;
}

void CallQueue::Park(uid_t uid, Call call) {
  MutexLock lock(&mutex_);
  if (closed_) return PutFirst(uid, std::move(call));
  parked_.emplace_back(uid, std::move(call));
}

void CallQueue::Resume() {
  MutexLock lock(&mutex_);
  // From the last to the first, since each goes before the others.
  for (; !parked_.empty(); parked_.pop_back()) {
    PutFirst(parked_.back().first, std::move(parked_.back().second));
  }
}

void CallQueue::PutFirst(uid_t uid, Call call) {
  std::deque<Call>& line = waiting_[uid];
  if (line.empty()) turns_.push_back(uid);
  line.push_front(std::move(call));
  changed_.notify_all();
}

bool CallQueue::IsClosed() {
  MutexLock lock(&mutex_);
  return closed_;
}

void CallQueue::Answered() {
  MutexLock lock(&mutex_);
  --unanswered_;
  changed_.notify_all();
}

void CallQueue::CloseAndWait(absl::Time deadline) {
  MutexLock lock(&mutex_);
  closed_ = true;
  for (; !parked_.empty(); parked_.pop_back()) {
    PutFirst(parked_.back().first, std::move(parked_.back().second));
  }
  const auto end = absl::ToChronoTime(deadline);
  while (unanswered_ > 0 && changed_.wait_until(mutex_, end) == std::cv_status::no_timeout) {
  }
}

void CallQueue::Work() {
  while (true) {
    Call call;
    {
      MutexLock lock(&mutex_);
      while (!stopped_ && turns_.empty()) changed_.wait(mutex_);
      if (stopped_) return;
      call = TakeNext();
    }
    call();
  }
}

CallQueue::Call CallQueue::TakeNext() {
  const uid_t uid = turns_.front();
  turns_.pop_front();
  const auto line = waiting_.find(uid);
  Call call = std::move(line->second.front());
  line->second.pop_front();
  if (line->second.empty()) {
    waiting_.erase(line);
  } else {
    turns_.push_back(uid);
  }
  return call;
}

}  // namespace svnet
