// What the doctor's tests share: a host on which all is well, its own, with an svnetd that
// has one guest, and somebody who types what the doctor prints.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/sandbox/internet.h"
#include "tests/system/system_test.h"
#include "tests/system/tap_guest.h"

namespace svnet::testing {

// What a check found: the first of what is not in order.
struct Finding {
  std::string level;  // as --json has it
  std::string message;
  std::string fix;
};

// The network, /etc and /dev/net/tun are the test's own.
class DoctorTest : public SystemTest {
 protected:
  DoctorTest();
  ~DoctorTest() override;

  Exited Doctor(const RunAs& who, std::vector<std::string> arguments);
  Finding Find(const std::string& check, const RunAs& who = kRoot);

  // Runs `command` as root's shell does, where svnetctl is that of this build and knows
  // the socket, and `systemctl start svnetd` is done by the test. Its exit code.
  int Type(const std::string& command);

  using Make = std::function<void()>;
  // `trouble` makes it ill; what the doctor prints makes it well. The check sees both.
  void ExpectFoundAndFixed(const std::string& check, const std::string& level, const Make& trouble);
  void ExpectFoundAndFixed(const std::string& check, const std::string& level,
                           const std::string& trouble);

  // Whether a guest's ping gets out and back, by real packets.
  bool GuestGetsOut();

  Daemon& svnetd() { return *svnetd_; }
  const Internet& internet() const { return internet_; }
  // With what stands in /etc/svnet/svnetd.toml. Ends the one that runs.
  void RestartSvnetd(std::vector<std::string> flags = {});

 private:
  Internet internet_;
  std::optional<Daemon> svnetd_;
  std::optional<TapGuest> guest_;
};

}  // namespace svnet::testing
