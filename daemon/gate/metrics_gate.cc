#include "daemon/gate/metrics_gate.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "daemon/base/clock.h"
#include "daemon/base/status_macros.h"
#include "daemon/gate/metrics_reader.h"
#include "daemon/wire/message.h"

namespace svnet {
namespace {

// Bytes of a page: some hundred times what there is.
constexpr size_t kMaxPage = 4 << 20;

// After which svnetd is asked again, if its buffer was full.
constexpr absl::Duration kAskAgainTime = absl::Milliseconds(50);

// As poll(2) takes it; rounded up, or what is due in less than a millisecond is waited for in
// circles.
int Milliseconds(absl::Duration time) {
  if (time == absl::InfiniteDuration()) return -1;
  return static_cast<int>(absl::ToInt64Milliseconds(std::max(time, absl::ZeroDuration()))) + 1;
}

class MetricsGate {
 public:
  explicit MetricsGate(Channel core) : core_(std::move(core)) {}

  // Until svnetd closes the channel: OK. An error: it says what it never says.
  absl::Status Run();

 private:
  // Sends the call, if somebody waits and none is under way.
  void AskForPage();
  // Until something has happened or a reader's time is over; whether svnetd has spoken.
  bool ServeReaders();
  absl::Duration TimeToNextDeadline(absl::Time now) const;
  absl::Status TakeMessage();
  void AddReader(uint64_t number, UniqueFd fd);
  void AddAnswer(const Message& answer);

  const Channel core_;
  std::list<MetricsReader> readers_;
  bool asked_ = false;      // for the page, and not all of it has come
  uint64_t last_call_ = 0;  // its id
  std::string page_;        // as far as it has come
};

absl::Status MetricsGate::Run() {
  SVNET_RETURN_IF_ERROR(core_.Send(Encode({.kind = MessageKind::kReady})));
  while (true) {
    AskForPage();
    if (!ServeReaders()) continue;
    const absl::Status status = TakeMessage();
    if (absl::IsAborted(status)) return absl::OkStatus();
    if (!status.ok() && !absl::IsUnavailable(status)) return status;
  }
}

void MetricsGate::AskForPage() {
  const auto waiting = std::find_if(readers_.begin(), readers_.end(),
                                    [](const MetricsReader& each) { return each.wants_page(); });
  if (asked_ || waiting == readers_.end()) return;
  const Message call = {.kind = MessageKind::kCall,
                        .method = Method::kMetricsPage,
                        .id = last_call_ + 1,
                        .connection = waiting->number()};
  if (!core_.Send(Encode(call)).ok()) return;  // asked again; its end is read, too
  ++last_call_;
  asked_ = true;
  page_.clear();
}

bool MetricsGate::ServeReaders() {
  std::vector<pollfd> events = {{.fd = core_.fd(), .events = POLLIN}};
  for (const MetricsReader& each : readers_) {
    events.push_back({.fd = each.fd(), .events = each.events()});
  }
  poll(events.data(), events.size(), Milliseconds(TimeToNextDeadline(MonotonicNow())));
  const absl::Time now = MonotonicNow();
  size_t i = 1;
  for (MetricsReader& each : readers_) {
    each.OnEvents(events[i++].revents, now);
    each.OnTime(now);
  }
  readers_.remove_if([](const MetricsReader& each) { return each.has_ended(); });
  return events[0].revents != 0;
}

absl::Duration MetricsGate::TimeToNextDeadline(absl::Time now) const {
  absl::Duration time = absl::InfiniteDuration();
  for (const MetricsReader& each : readers_) {
    time = std::min(time, each.deadline() - now);
    if (each.wants_page() && !asked_) time = std::min(time, kAskAgainTime);
  }
  return time;
}

absl::Status MetricsGate::TakeMessage() {
  SVNET_ASSIGN_OR_RETURN(Channel::Packet packet, core_.Receive(kMaxPacket, true));
  SVNET_ASSIGN_OR_RETURN(const Message message, Decode(packet.bytes));
  if (message.kind == MessageKind::kConnection && packet.descriptor.valid()) {
    AddReader(message.connection, std::move(packet.descriptor));
    return absl::OkStatus();
  }
  if (message.kind != MessageKind::kAnswer || !asked_ || message.id != last_call_ ||
      page_.size() + message.body.size() > kMaxPage) {
    return absl::InvalidArgumentError("not for this gate");
  }
  AddAnswer(message);
  return absl::OkStatus();
}

void MetricsGate::AddReader(uint64_t number, UniqueFd fd) {
  readers_.emplace_back(number, std::move(fd), MonotonicNow());
  if (readers_.size() <= kMaxMetricsReaders) return;
  // The new one itself, if all others wait for their answer.
  const auto idle = std::find_if(readers_.begin(), readers_.end(),
                                 [](const MetricsReader& each) { return each.is_idle(); });
  readers_.erase(idle);
}

void MetricsGate::AddAnswer(const Message& answer) {
  page_ += answer.body;
  if (answer.more) return;
  asked_ = false;
  const auto page =
      answer.status.ok() ? std::make_shared<const std::string>(std::move(page_)) : nullptr;
  for (MetricsReader& each : readers_) {
    if (each.wants_page()) each.Give(page);
  }
}

}  // namespace

void RunMetricsGate(Channel core) {
  const absl::Status status = MetricsGate(std::move(core)).Run();
  _exit(status.ok() ? 0 : 1);
}

}  // namespace svnet
