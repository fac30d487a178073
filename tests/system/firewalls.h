// Other people's packet filters, in the test's network namespace and where nobody else
// sees them.
#pragma once

#include <optional>
#include <string>

#include "tests/system/unpacked.h"

namespace svnet::testing {

// Docker's chains with one network, docker0, as its versions make them; by the `program`
// iptables-nft or iptables-legacy.
std::string Docker20(const std::string& program);
std::string Docker28(const std::string& program);

// Debian's firewalld and ufw; tests/firewalls/build.sh unpacks them.
class UnpackedFirewalls : public Unpacked {
 public:
  UnpackedFirewalls() : Unpacked("firewalls") {}
};

// firewalld, D-Bus and polkit, which end with the object. In its zone `public` is every link
// that is in no other.
class Firewalld {
 public:
  // With svnet's own zone and policy, unless the package is not to be there.
  explicit Firewalld(bool with_svnets_zone = true);

 private:
  UnpackedFirewalls unpacked_;
  std::optional<Program> bus_, polkit_, firewalld_;
};

}  // namespace svnet::testing
