// One connection that reads metrics.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "daemon/base/unique_fd.h"
#include "daemon/gate/http_request.h"

namespace svnet {

// Reads one request, sends one answer, and ends. It never waits: poll(2) says when there is
// something to do. It takes kHeadTime for the request and kExchangeTime in all, however slowly
// the other end sends or reads. Not thread-safe.
class MetricsReader {
 public:
  static constexpr absl::Duration kHeadTime = absl::Seconds(2);
  static constexpr absl::Duration kExchangeTime = absl::Seconds(5);

  // `number`: svnetd's for the connection.
  MetricsReader(uint64_t number, UniqueFd fd, absl::Time now);
  // Shuts the connection down: svnetd has a duplicate of the descriptor, and sees the end so.
  ~MetricsReader();

  uint64_t number() const { return number_; }
  int fd() const { return fd_.get(); }
  bool wants_page() const { return state_ == State::kWaiting; }
  // Whether nothing is lost if it is ended: it has not asked yet, or has its answer.
  bool is_idle() const { return state_ == State::kReading || state_ == State::kLingering; }
  bool has_ended() const { return state_ == State::kEnded; }
  // What poll(2) is to wait for, and until when.
  short events() const;
  absl::Time deadline() const { return deadline_; }

  // poll(2) said `revents`.
  void OnEvents(short revents, absl::Time now);
  // Ends it if its time is over.
  void OnTime(absl::Time now);
  // What it waits for (wants_page); null: svnetd does not give it.
  void Give(std::shared_ptr<const std::string> page);

 private:
  enum class State { kReading, kWaiting, kWriting, kLingering, kEnded };

  void Read();
  void Write(absl::Time now);
  void Linger();
  void Answer(HttpStatus status, std::shared_ptr<const std::string> body);

  const uint64_t number_;
  const UniqueFd fd_;
  const absl::Time end_;
  absl::Time deadline_;
  State state_ = State::kReading;
  std::string received_;
  bool with_body_ = true;
  std::string head_;                         // of the answer
  std::shared_ptr<const std::string> body_;  // which readers share
  size_t sent_ = 0;                          // of head and body
  size_t ignored_ = 0;                       // bytes that came when lingering
};

}  // namespace svnet
