// The floor: the device work that nobody can do without, in as few system calls as
// there are, and with no check that it does not need. In the network namespace that the
// calling thread is in when the object is made. What fails ends the program.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/base/unique_fd.h"

namespace svnet::bench {

class Floor {
 public:
  Floor();

  // A bridge as svnetd's, but for its addresses. Its ifindex.
  int MakeBridge(const std::string& name);

  struct Tap {
    std::string name;
    uid_t owner;
    std::string alias;
    uint32_t group;
    int bridge;              // 0: none
    uint32_t routed_to = 0;  // network byte order; 0: to nobody
  };
  // Open, TUNSETIFF, TUNSETOWNER, disable_ipv6, one RTM_SETLINK, TUNSETPERSIST, close. If it is
  // routed, a route of 32 bits and a permanent neighbour, in one send with that.
  void CreateTap(const Tap& tap);
  // Destroys one link, or all links of a group. The kernel has done so when it returns.
  void DeleteLink(const std::string& name);
  void DeleteGroup(uint32_t group);
  // Reads every link of the namespace, and how many there are.
  int DumpLinks();

 private:
  class Request;

  static Request RouteTo(const Tap& tap, uint32_t ifindex);
  static Request NeighbourOf(const Tap& tap, uint32_t ifindex);
  void Transact(const std::vector<Request>& requests, const std::string& what);

  UniqueFd socket_;
};

// Hears of links that the kernel destroys, from when it is made.
class DeletedLinks {
 public:
  DeletedLinks();
  // Until the kernel has destroyed `count` links since the last call; it does so within
  // two minutes, or the program ends.
  void Wait(int count);

 private:
  UniqueFd socket_;
};

}  // namespace svnet::bench
