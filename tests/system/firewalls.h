// Other people's packet filters, in the test's network namespace and where nobody else
// sees them.
#pragma once

#include <string>

#include "daemon/base/unique_fd.h"

namespace svnet::testing {

// Docker's chains with one network, docker0, as its versions make them; by the `program`
// iptables-nft or iptables-legacy.
std::string Docker20(const std::string& program);
std::string Docker28(const std::string& program);

// Has Debian's firewalld and ufw be there as if they were installed, with files of their
// own, as long as it lives; tests/firewalls/build.sh unpacks them.
class UnpackedFirewalls {
 public:
  UnpackedFirewalls();
  ~UnpackedFirewalls();
};

// firewalld, D-Bus and polkit, which end with the object. In its zone `public` is every link
// that is in no other.
class Firewalld {
 public:
  // With svnet's own zone and policy, unless the package is not to be there.
  explicit Firewalld(bool with_svnets_zone = true);
  ~Firewalld();

 private:
  UnpackedFirewalls unpacked_;
  pid_t bus_ = -1;
  pid_t polkit_ = -1;
  pid_t firewalld_ = -1;
};

}  // namespace svnet::testing
