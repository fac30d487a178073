// What the service manager and svnetd tell each other: signals, and sd_notify(3).
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/unique_fd.h"

namespace svnet {

// Works as well where there is no service manager: signals then come from people, and
// what is said is heard by nobody. Not thread-safe.
class ServiceManager {
 public:
  enum class Request {
    kNothing,
    kStop,    // SIGTERM, SIGINT
    kReload,  // SIGHUP
    kPing,    // the watchdog's: Alive, if all is well
    kAlarm,   // the time of SetAlarm has come
  };

  // Blocks these signals: threads that start later inherit that, so they come here and
  // nowhere else. Starts the watchdog's timer, if the unit has one (WatchdogSec=).
  static absl::StatusOr<ServiceManager> Open();

  // Readable as long as Next has something.
  int fd() const { return epoll_.get(); }
  // Takes one; never waits.
  Request Next();

  // nullopt: none. In place of the last one.
  void SetAlarm(std::optional<absl::Time> time);  // as MonotonicNow

  // `systemctl status` shows the text.
  void Say(const std::string& text);
  void Ready();
  // Until Ready.
  void Reloading();
  // From now on another signal to stop ends the process at once.
  void Stopping();
  void Alive();

 private:
  ServiceManager(UniqueFd epoll, UniqueFd signals, UniqueFd timer, UniqueFd alarm)
      : epoll_(std::move(epoll)),
        signals_(std::move(signals)),
        timer_(std::move(timer)),
        alarm_(std::move(alarm)) {}

  UniqueFd epoll_;
  UniqueFd signals_;
  UniqueFd timer_;  // never readable without a watchdog
  UniqueFd alarm_;
};

}  // namespace svnet
