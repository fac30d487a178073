#include "daemon/gate/metrics_reader.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

namespace svnet {
namespace {

// A reader that sends more than a request is cut off after so long, or so much, and perhaps loses
// its answer (RFC 9112, 9.6).
constexpr absl::Duration kLingerTime = absl::Seconds(1);
constexpr size_t kMaxIgnored = 64 << 10;

bool IsAgain(int error) { return error == EAGAIN || error == EINTR; }

}  // namespace

MetricsReader::MetricsReader(uint64_t number, UniqueFd fd, absl::Time now)
    : number_(number), fd_(std::move(fd)), end_(now + kExchangeTime), deadline_(now + kHeadTime) {}

MetricsReader::~MetricsReader() { shutdown(fd_.get(), SHUT_RDWR); }

short MetricsReader::events() const {
  switch (state_) {
    case State::kReading:
    case State::kLingering:
      return POLLIN;
    case State::kWriting:
      return POLLOUT;
    case State::kWaiting:  // errors are always told
    case State::kEnded:
      break;
  }
  return 0;
}

void MetricsReader::OnEvents(short revents, absl::Time now) {
  if ((revents & events()) == 0) {
    if ((revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) state_ = State::kEnded;
    return;
  }
  if (state_ == State::kReading) return Read();
  if (state_ == State::kWriting) return Write(now);
  Linger();
}

void MetricsReader::OnTime(absl::Time now) {
  if (now >= deadline_) state_ = State::kEnded;
}

void MetricsReader::Give(std::shared_ptr<const std::string> page) {
  if (page == nullptr) return Answer(HttpStatus::kUnavailable, nullptr);
  Answer(HttpStatus::kOk, std::move(page));
}

void MetricsReader::Read() {
  std::array<char, kMaxRequestHead> bytes;
  const ssize_t count = recv(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (count < 0 && IsAgain(errno)) return;
  if (count <= 0) {
    state_ = State::kEnded;
    return;
  }
  received_.append(bytes.data(), count);
  const std::optional<HttpVerdict> verdict = JudgeRequest(received_);
  if (!verdict.has_value()) return;
  with_body_ = verdict->with_body;
  deadline_ = end_;
  if (verdict->status != HttpStatus::kOk) return Answer(verdict->status, nullptr);
  state_ = State::kWaiting;
}

void MetricsReader::Answer(HttpStatus status, std::shared_ptr<const std::string> body) {
  if (body == nullptr) body = std::make_shared<const std::string>(RenderExplanation(status));
  head_ = RenderResponseHead(status, body->size());
  if (with_body_) body_ = std::move(body);
  state_ = State::kWriting;
}

void MetricsReader::Write(absl::Time now) {
  const size_t body_size = body_ == nullptr ? 0 : body_->size();
  const absl::string_view rest = sent_ < head_.size()
                                     ? absl::string_view(head_).substr(sent_)
                                     : absl::string_view(*body_).substr(sent_ - head_.size());
  const bool more = sent_ < head_.size() && body_size > 0;
  const ssize_t count = send(fd_.get(), rest.data(), rest.size(),
                             MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0));
  if (count < 0 && IsAgain(errno)) return;
  if (count < 0) {
    state_ = State::kEnded;
    return;
  }
  sent_ += count;
  if (sent_ < head_.size() + body_size) return;
  shutdown(fd_.get(), SHUT_WR);
  body_ = nullptr;
  state_ = State::kLingering;
  deadline_ = std::min(end_, now + kLingerTime);
}

void MetricsReader::Linger() {
  std::array<char, kMaxRequestHead> bytes;
  const ssize_t count = recv(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (count < 0 && IsAgain(errno)) return;
  ignored_ += std::max<ssize_t>(count, 0);
  if (count <= 0 || ignored_ > kMaxIgnored) state_ = State::kEnded;
}

}  // namespace svnet
