// Who is let in, again and again: refused callers, reloads, roots of other namespaces, the log.
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/eventually.h"
#include "tests/system/raw_call.h"
#include "tests/system/system_test.h"

namespace svnet::testing {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr uid_t kMallory = 1002;
constexpr uid_t kFirstStranger = 100'000;

std::ptrdiff_t EntriesOf(const Daemon& svnetd, const std::string& folder) {
  const std::filesystem::directory_iterator entries(
      absl::StrCat("/proc/", svnetd.pid(), "/", folder));
  return std::distance(begin(entries), end(entries));
}

std::ptrdiff_t Lines(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

// Users whom svnetd refuses, as many as somebody with a range of subordinate uids is.
class RefusedCallersTest : public SystemTest {
 protected:
  RefusedCallersTest() : svnetd_(Start({"--allow-users=1000"})) {
    const rlimit many = {.rlim_cur = 16'384, .rlim_max = 16'384};
    setrlimit(RLIMIT_NOFILE, &many);
  }

  // Connections of so many uids, eight of each; each says `bytes`.
  std::vector<UniqueFd> Knock(int uids, const std::string& bytes) {
    std::vector<UniqueFd> connections;
    for (int i = 0; i < 8 * uids; ++i) {
      const uid_t uid = kFirstStranger + i / 8;
      connections.push_back(ConnectAs(svnetd_.socket(), {.uid = uid, .gid = uid, .groups = {}}));
      SendAll(connections.back(), bytes);
    }
    return connections;
  }
  // How many of that many new connections of an admitted user are served.
  int Served(int connections) {
    int served = 0;
    for (int i = 0; i < connections; ++i) {
      Client alice(svnetd_.socket(), kAlice);
      grpc::ClientContext context;
      v1::ListTapsResponse response;
      served += alice.stub().ListTaps(&context, {}, &response).ok() ? 1 : 0;
    }
    return served;
  }
  Daemon& svnetd() { return svnetd_; }

 private:
  Daemon svnetd_;
};

TEST_F(RefusedCallersTest, TakeNothingFromThoseWhoAreAdmitted) {
  ASSERT_EQ(Served(3), 3);
  const auto descriptors = EntriesOf(svnetd(), "fd");
  const auto threads = EntriesOf(svnetd(), "task");
  for (const std::string& bytes : {std::string(), RawStart() + RawCall("ListTaps", 1)}) {
    const std::vector<UniqueFd> held = Knock(600, bytes);
    EXPECT_EQ(Served(40), 40);
    EXPECT_LE(EntriesOf(svnetd(), "fd"), descriptors + 2 * 64 + 100);
    EXPECT_LE(EntriesOf(svnetd(), "task"), threads + 40);
  }
  EXPECT_LT(Lines(svnetd().log()), 400);
}

TEST_F(RefusedCallersTest, TakeNothingWhileTheyComeAndGo) {
  std::atomic<bool> stopped = false;
  std::thread knocking([&] {
    while (!stopped) Knock(30, RawStart() + RawCall("ListTaps", 1));
  });
  EXPECT_EQ(Served(100), 100);
  stopped = true;
  knocking.join();
  EXPECT_LT(Lines(svnetd().log()), 1'000);
  // And who is refused is told why, once there is room again.
  grpc::Status status;
  EXPECT_TRUE(Eventually([&] {
    status = Client(svnetd().socket(), kMallory).Create("vm1").status;
    return status.error_code() != grpc::StatusCode::UNAVAILABLE;
  }));
  EXPECT_EQ(ReasonOf(status), "PERMISSION_DENIED");
  EXPECT_THAT(status.error_message(), AnyOf(HasSubstr("uid 1002"), HasSubstr("this uid")));
}

TEST_F(RefusedCallersTest, AreToldWhyAlsoWhenThereAreMany) {
  int told = 0;
  for (uid_t uid = kFirstStranger; uid < kFirstStranger + 30; ++uid) {
    const grpc::Status status = Client(svnetd().socket(), uid).Create("vm1").status;
    told += ReasonOf(status) == "PERMISSION_DENIED" ? 1 : 0;
    EXPECT_THAT(status.error_message(), HasSubstr("allow_users"));
  }
  EXPECT_EQ(told, 30);
}

// What a reload does to connections that are there.
class ReadmissionTest : public SystemTest {
 protected:
  static grpc::StatusCode CodeOf(Client& client) {
    grpc::ClientContext context;
    v1::ListTapsResponse response;
    return client.stub().ListTaps(&context, {}, &response).error_code();
  }
};

TEST_F(ReadmissionTest, AFormerAdministratorLosesItsRightsAtOnceAndOthersGoOn) {
  const std::string before = "[callers]\nallow_users = [\"1001\"]\nadmin_groups = [\"27\"]\n";
  const RunAs operator_ = {.uid = kAlice, .gid = kAlice, .groups = {27}};
  Daemon svnetd = Start({}, before);
  Client admin(svnetd.socket(), operator_);
  Client bob(svnetd.socket(), kBob);
  Client root(svnetd.socket(), 0);
  bob.MustCreate("vm1");
  Watcher admins(admin);
  Watcher bobs(bob);
  Watcher roots(root);
  EXPECT_EQ(admin.MustList().size(), 1u);
  EXPECT_EQ(admins.WaitFor(v1::TAP_EVENT_TYPE_ADDED).tap().vm_id(), "vm1");
  svnetd.Reload("[callers]\nallow_users = [\"1000\", \"1001\"]\n");
  v1::CleanupResponse response;
  v1::CleanupRequest request;
  request.set_scope(v1::CLEANUP_SCOPE_NETWORK);
  grpc::ClientContext context;
  EXPECT_EQ(admin.stub().Cleanup(&context, request, &response).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(admins.Next().type(), v1::TAP_EVENT_TYPE_UNSPECIFIED);
  EXPECT_EQ(admins.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  // By a new connection it is what it is now.
  Client user(svnetd.socket(), operator_);
  EXPECT_THAT(user.MustList(), IsEmpty());
  // Whoever is what it was has noticed nothing.
  bob.MustCreate("vm2");
  EXPECT_EQ(bobs.WaitFor(v1::TAP_EVENT_TYPE_ADDED, "svvm2eth0").tap().vm_id(), "vm2");
  EXPECT_EQ(roots.WaitFor(v1::TAP_EVENT_TYPE_ADDED, "svvm2eth0").tap().vm_id(), "vm2");
  EXPECT_EQ(root.MustList().size(), 2u);
  EXPECT_THAT(svnetd.log(), HasSubstr("1 connections ended"));
}

TEST_F(ReadmissionTest, ACallerWhoMayNoLongerConnectIsToldSoAndANewOneIsServed) {
  Daemon svnetd = Start({}, "[callers]\nallow_users = [\"1000\"]\n");
  Client alice(svnetd.socket(), kAlice);
  alice.MustCreate("vm1");
  Client bob(svnetd.socket(), kBob);
  EXPECT_EQ(CodeOf(bob), grpc::StatusCode::PERMISSION_DENIED);
  svnetd.Reload("[callers]\nallow_users = [\"1001\"]\n");
  EXPECT_EQ(CodeOf(alice), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(CodeOf(bob), grpc::StatusCode::UNAVAILABLE);
  Client alice_again(svnetd.socket(), kAlice);
  EXPECT_EQ(CodeOf(alice_again), grpc::StatusCode::PERMISSION_DENIED);
  Client(svnetd.socket(), kBob).MustCreate("vm1");
}

TEST_F(ReadmissionTest, LimitsHoldAtOnce) {
  Daemon svnetd = Start({}, "[limits]\ntaps_per_user = 2\n");
  Client alice(svnetd.socket(), Member(kAlice));
  alice.MustCreate("vm1");
  svnetd.Reload("[limits]\ntaps_per_user = 1\n");
  EXPECT_EQ(alice.Create("vm2").status.error_code(), grpc::StatusCode::UNAVAILABLE);
  Client again(svnetd.socket(), Member(kAlice));
  EXPECT_EQ(ReasonOf(again.Create("vm2").status), "QUOTA_EXCEEDED");
}

TEST_F(ReadmissionTest, ConnectionsThatAreMoreThanMayBeAreEndedFromTheYoungestOn) {
  Daemon svnetd = Start({}, "[limits]\nconnections_per_user = 20\n");
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(std::make_unique<Client>(svnetd.socket(), Member(kAlice)));
    clients.back()->MustList();
  }
  svnetd.Reload("[limits]\nconnections_per_user = 4\n");
  for (size_t i = 0; i < clients.size(); ++i) {
    EXPECT_EQ(CodeOf(*clients[i]), i < 4 ? grpc::StatusCode::OK : grpc::StatusCode::UNAVAILABLE)
        << i;
  }
  Client one_more(svnetd.socket(), Member(kAlice));
  EXPECT_EQ(CodeOf(one_more), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(ReadmissionTest, AReloadThatChangesNothingEndsNothing) {
  const std::string config = "[callers]\nadmin_groups = [\"27\"]\n[limits]\ntaps_per_user = 3\n";
  Daemon svnetd = Start({}, config);
  Client alice(svnetd.socket(), Member(kAlice));
  Client admin(svnetd.socket(), {.uid = kBob, .gid = kBob, .groups = {27}});
  Watcher watcher(alice);
  admin.MustList();
  for (int i = 0; i < 5; ++i) svnetd.Reload(config);
  alice.MustCreate("vm1");
  EXPECT_EQ(watcher.Next().tap().vm_id(), "vm1");
  EXPECT_EQ(admin.MustList().size(), 1u);
}

// As in a container that was given the socket.
class ForeignRootTest : public SystemTest {
 protected:
  static Exited InAnotherNamespace(const Daemon& svnetd, std::vector<std::string> command) {
    command.insert(command.begin(), {"unshare", "--net", kSvnetctl, "--socket", svnetd.socket()});
    return RunProgram(command);
  }
};

TEST_F(ForeignRootTest, IsRefusedAndToldWhatWouldHelp) {
  Daemon svnetd = Start();
  Client(svnetd.socket(), Member(kAlice)).MustCreate("vm1");
  for (const auto& command : std::vector<std::vector<std::string>>{
           {"list"}, {"cleanup", "--network"}, {"create", "vm2", "--owner", "1000"}, {"metrics"}}) {
    const Exited refused = InAnotherNamespace(svnetd, command);
    EXPECT_NE(refused.code, 0);
    EXPECT_THAT(refused.err, HasSubstr("foreign_root"));
  }
  EXPECT_EQ(Client(svnetd.socket(), 0).MustList().size(), 1u);
}

TEST_F(ForeignRootTest, IsAUserLikeOthersIfUid0IsLetIn) {
  Daemon svnetd = Start({}, "[callers]\nallow_users = [\"0\"]\n[limits]\ntaps_per_user = 1\n");
  Client(svnetd.socket(), Member(kAlice)).MustCreate("vm1");
  const Exited created = InAnotherNamespace(svnetd, {"create", "vm2"});
  EXPECT_EQ(created.code, 0) << created.err;
  EXPECT_THAT(InAnotherNamespace(svnetd, {"list"}).out, Not(HasSubstr("vm1")));
  EXPECT_THAT(InAnotherNamespace(svnetd, {"create", "vm3"}).err, HasSubstr("QUOTA_EXCEEDED"));
  EXPECT_THAT(InAnotherNamespace(svnetd, {"cleanup", "--network"}).err,
              HasSubstr("PERMISSION_DENIED"));
  EXPECT_THAT(InAnotherNamespace(svnetd, {"create", "vm4", "--owner", "1000"}).err,
              HasSubstr("PERMISSION_DENIED"));
  // svnetd's own root is not meant.
  EXPECT_EQ(Client(svnetd.socket(), 0).MustList().size(), 2u);
}

TEST_F(ForeignRootTest, IsAnAdministratorIfItMay) {
  Daemon svnetd = Start({"--foreign-root=true"});
  Client(svnetd.socket(), Member(kAlice)).MustCreate("vm1");
  EXPECT_THAT(InAnotherNamespace(svnetd, {"list"}).out, HasSubstr("vm1"));
  EXPECT_EQ(InAnotherNamespace(svnetd, {"cleanup", "--network"}).code, 0);
  EXPECT_THAT(Client(svnetd.socket(), 0).MustList(), IsEmpty());
}

// A caller who makes svnetd write as much as it can.
class LogFloodTest : public SystemTest {
 protected:
  LogFloodTest() : svnetd_(Start()) {}

  // Eight threads, until so many calls are answered.
  template <typename Call>
  void Flood(int calls, const Call& call) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&, i] {
        Client mallory(svnetd_.socket(), Member(kMallory));
        for (int done = 0; done < calls / 8; ++done) call(mallory, i * calls + done);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  Daemon& svnetd() { return svnetd_; }

 private:
  Daemon svnetd_;
};

TEST_F(LogFloodTest, CallsThatChangeNothingAreReads) {
  Client(svnetd().socket(), Member(kMallory)).MustCreate("vm1");
  const auto before = Lines(svnetd().log());
  Flood(8'000, [](Client& mallory, int number) {
    switch (number % 3) {
      case 0:
        EXPECT_FALSE(mallory.MustRemove("svnosuch0"));
        break;
      case 1:
        mallory.MustCleanup(v1::CLEANUP_SCOPE_CALLER);
        break;
      default:
        mallory.MustList();
    }
  });
  // One removal of vm1, and that there were many.
  EXPECT_LE(Lines(svnetd().log()), before + 10);
  EXPECT_THAT(svnetd().log(), HasSubstr("uid=1002: very many lines, not all are written"));
}

TEST_F(LogFloodTest, ARepeatedCreateTapIsARead) {
  Client mallory(svnetd().socket(), Member(kMallory));
  mallory.MustCreate("vm1");
  const auto before = Lines(svnetd().log());
  for (int i = 0; i < 200; ++i) mallory.MustCreate("vm1");
  EXPECT_EQ(Lines(svnetd().log()), before);
}

TEST_F(LogFloodTest, RefusalsAndWatchesAreLimitedForAUidNotForAConnection) {
  Flood(4'000, [&](Client& mallory, int number) {
    if (number % 2 == 0) {
      mallory.Create("not an id");
    } else {
      // Each by a connection of its own, and half with another set of groups.
      RunAs who = Member(kMallory);
      if (number % 4 == 1) who.groups.push_back(105);
      Client another(svnetd().socket(), who);
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now());
      v1::TapEvent event;
      another.stub().WatchTaps(&context, {})->Read(&event);
      another.Create("neither");
      another.Create("/");
    }
  });
  EXPECT_LT(Lines(svnetd().log()), 1'000);
  Client(svnetd().socket(), Member(kAlice)).MustCreate("vm1");
  EXPECT_THAT(svnetd().log(), HasSubstr("CreateTap uid=1000 vm=vm1"));
}

TEST_F(LogFloodTest, LinesAtLevelDebugAreLimitedToo) {
  svnetd().Reload("log_level = \"debug\"\n");
  Client mallory(svnetd().socket(), Member(kMallory));
  for (int i = 0; i < 3'000; ++i) mallory.MustList();
  EXPECT_LT(Lines(svnetd().log()), 2'500);
}

// One lock for each bridge, which nobody but root can take.
class SecondDaemonTest : public SystemTest {
 protected:
  Daemon StartSecond() { return Daemon(elsewhere_.path(), {kSocketGroupFlag}); }

 private:
  TemporaryFolder elsewhere_;
};

TEST_F(SecondDaemonTest, IsRefusedWhateverUsersAndFirewallsDo) {
  Daemon first = Start();
  Client(first.socket(), Member(kAlice)).MustCreate("vm1");
  Shell("nft flush ruleset");
  std::vector<UniqueFd> squatting;
  const rlimit many = {.rlim_cur = 16'384, .rlim_max = 16'384};
  setrlimit(RLIMIT_NOFILE, &many);
  for (int i = 0; i < 4'096; ++i) {
    squatting.push_back(ConnectAs(first.socket(), Member(kMallory)));
  }
  EXPECT_THAT(StartSecond().log(), HasSubstr("another svnetd has bridge svbr0"));
  first.Stop(SIGKILL);
  EXPECT_TRUE(StartSecond().running());
}

TEST_F(SecondDaemonTest, StartsAtOnceAfterOneThatWasKilled) {
  for (int i = 0; i < 10; ++i) {
    Daemon first = Start();
    ASSERT_TRUE(first.running()) << first.log();
    first.Stop(SIGKILL);
  }
  EXPECT_EQ(Shell("nft list tables"), "");
}

}  // namespace
}  // namespace svnet::testing
