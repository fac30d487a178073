// Who is measured: everybody gives a VM a device on a bridge, or one that is routed, and takes it
// away again.
// Each in a network namespace of its own. The peers are in peers.h.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/network_kind.h"
#include "daemon/base/unique_fd.h"
#include "tests/bench/floor.h"
#include "tests/system/client.h"
#include "tests/system/daemon.h"

namespace svnet::bench {

// The callers' uids are this one and those that follow.
inline constexpr uid_t kFirstUid = 1000;

// The number of a device, below 20,000: of it come its name and its address.
using Number = int;

// What a guest that was restored from a snapshot takes for its own; the same for all of them.
v1::GuestView SnapshotView();

class Candidate {
 public:
  virtual ~Candidate() = default;

  const std::string& name() const { return name_; }

  // What the caller has already; not measured.
  virtual void Prepare(Number) {}
  // Both return when the candidate says that it is done.
  virtual void Create(Number number) = 0;
  virtual void Remove(Number number) = 0;
  // Whether Create says what there is, if there is one already.
  virtual bool is_idempotent() const { return false; }
  // Until a device that was removed is gone.
  virtual void WaitUntilGone(int /*count*/) {}
  // The calling thread, and what it starts, goes where the candidate works.
  void Enter() const;

 protected:
  // Makes the namespace and enters it.
  explicit Candidate(std::string name);

 private:
  std::string name_;
  UniqueFd namespace_;
};

class FloorCandidate final : public Candidate {
 public:
  explicit FloorCandidate(std::string name = "floor", NetworkKind kind = NetworkKind::kBridge);

  void Create(Number number) override;
  void Remove(Number number) override;
  void RemoveAll();
  Floor& floor() { return floor_; }

 private:
  Floor floor_;
  const int bridge_;  // 0: each TAP has a route instead
};

// svnetd, and an unprivileged caller; all protections are on.
class SvnetdCandidate final : public Candidate {
 public:
  // `program` is as the build made it, or that of another version. `networks`: what is in its
  // configuration besides the default one.
  explicit SvnetdCandidate(std::string name = "svnetd", std::string program = testing::kSvnetd,
                           std::vector<std::string> flags = {}, const std::string& networks = "");

  void Create(Number number) override;
  void Remove(Number number) override { RemoveBy(*caller_, number); }
  bool is_idempotent() const override { return true; }
  void WaitUntilGone(int count) override { deleted_.Wait(count); }

  // Another caller with its own connection.
  std::unique_ptr<testing::Client> Connect(uid_t uid) const;
  testing::Client& caller() { return *caller_; }
  // From now on Create leases for guests that have this view.
  void GiveView(v1::GuestView view) { view_ = std::move(view); }
  static void CreateBy(testing::Client& caller, Number number);
  static void RemoveBy(testing::Client& caller, Number number);
  static void ListBy(testing::Client& caller);  // all pages
  static void GetBootArgsBy(testing::Client& caller, Number number);
  static void CleanupBy(testing::Client& caller, v1::CleanupScope scope);

  testing::Daemon& daemon() const { return *daemon_; }
  // In microseconds, from fork until svnetd says that it is ready (sd_notify(3)).
  double Start();
  void Stop();

 private:
  const std::string program_;
  testing::TemporaryFolder folder_;
  std::vector<std::string> flags_;
  const std::string config_;
  std::unique_ptr<testing::Daemon> daemon_;
  std::unique_ptr<testing::Client> caller_;
  std::optional<v1::GuestView> view_;
  DeletedLinks deleted_;
};

}  // namespace svnet::bench
