// What svnetd is measured against, besides the floor: what others run to the same end.
#pragma once

#include <vector>

#include "daemon/base/unique_fd.h"
#include "tests/bench/candidates.h"
#include "tests/system/daemon.h"

namespace svnet::bench {

// What the TypeScript NetworkManager ran: `ip`, by way of a shell, three times.
class ShellCandidate final : public Candidate {
 public:
  ShellCandidate();

  void Create(Number number) override;
  void Remove(Number number) override;
};

// A TAP without an address, and no NAT.
class QemuHelperCandidate final : public Candidate {
 public:
  QemuHelperCandidate();

  void Create(Number number) override;
  void Remove(Number number) override;

 private:
  std::vector<UniqueFd> taps_;  // by number; they die with their descriptors
};

// CNI's plugins bridge and host-local, with ipMasq.
class CniCandidate final : public Candidate {
 public:
  CniCandidate();

  void Prepare(Number number) override;
  void Create(Number number) override;
  void Remove(Number number) override;

 private:
  void Run(const char* command, Number number);

  testing::TemporaryFolder folder_;
};

// What podman asks.
class NetavarkCandidate final : public Candidate {
 public:
  NetavarkCandidate();

  void Prepare(Number number) override;
  void Create(Number number) override;
  void Remove(Number number) override;

 private:
  void Run(const char* command, Number number);

  testing::TemporaryFolder folder_;
};

}  // namespace svnet::bench
