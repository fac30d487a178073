#include "tests/system/real_guest.h"

#include "tests/sandbox/sandbox.h"

namespace svnet::testing {

Exited Boot(const RunAs& who, const RealGuest& guest) {
  constexpr char kRun[] = SVNET_SOURCE "/tests/guests/run.sh";
  constexpr char kImages[] = SVNET_SOURCE "/build/guests";
  std::vector<std::string> command = {"env"};
  command.insert(command.end(), guest.settings.begin(), guest.settings.end());
  command.insert(command.end(),
                 {kRun, guest.kind, kImages, guest.tap, guest.mac, guest.boot_args, guest.script});
  return RunProgramAs(who, command);
}

}  // namespace svnet::testing
