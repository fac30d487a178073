// Each of the firewalls beside which svnetd lets guests out: how it is installed and reloaded, and
// what svnetd says of it and adds to it.
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "tests/system/firewalls.h"

namespace svnet::testing {

// A filter for iptables-save's output.
inline constexpr char kWithoutCounts[] = "sed '/^#/d; s/ \\[[0-9:]*\\]$//'";

// A firewall of another program.
struct ForeignFirewall {
  std::string name;
  // Installs and starts it; it ends with the result.
  std::function<std::shared_ptr<void>()> install;
  std::vector<std::string> reload;  // commands, each of which makes it load its rules again
  std::string rules;                // a command that prints its rules
  // A command that removes what is left in its rules when svnetd's are gone, and has no effect;
  // empty: nothing is left.
  std::string settle;
  std::string blocks;  // what a condition says
  // For a network of one kind.
  struct Texts {
    std::string remedy;  // a part of what to run
    std::string accept;  // what `rules` has while svnetd manages it
  };
  Texts bridge;
  Texts routed;
  std::vector<std::string> checks;  // the doctor's

  friend std::ostream& operator<<(std::ostream& out, const ForeignFirewall& each) {
    return out << each.name;
  }
};

// Two versions of Docker with each of two kinds of iptables, ufw and firewalld.
std::vector<ForeignFirewall> ForeignFirewalls();

class EnabledUfw {
 public:
  EnabledUfw();
  ~EnabledUfw();

 private:
  UnpackedFirewalls unpacked_;
};

// The command that a condition's remedy says to run.
std::string CommandIn(const std::string& conditions);

}  // namespace svnet::testing
