// Where svnetd keeps what does not fit into aliases: whose it is, and what becomes of guests if
// somebody has done something to it.
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/system/spec_files.h"
#include "tests/system/system_test.h"
#include "tests/system/tap_guest.h"

namespace svnet::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class StateDirTest : public SystemTest {
 protected:
  std::string state() const { return folder() + "/state"; }
  Daemon StartHere() { return Start({"--state-dir=" + state()}); }

  // A lease with a text, and one without, of a svnetd that is gone.
  void LeaveLeases(const std::string& text = kSpecText) {
    Daemon svnetd = StartHere();
    Client alice(svnetd.socket(), Member(kAlice));
    with_text_ = alice.MustCreate("vm1");
    without_ = alice.MustCreate("vm2");
    guest_.emplace(with_text_);
    EXPECT_TRUE(Pings());
    svnetd.Stop(SIGKILL);
    file_ = GrantText(state(), with_text_.tap_name(), text);
  }

  static std::vector<std::string> Conditions(const Daemon& svnetd, uid_t uid = 0) {
    std::vector<std::string> conditions;
    const v1::GetNetworkResponse network = Client(svnetd.socket(), Member(uid)).MustGetNetwork();
    for (const auto& each : network.conditions()) {
      conditions.push_back(absl::StrCat(each.type(), ": ", each.message()));
    }
    return conditions;
  }
  // Whether with_text_'s guest reaches the gateway.
  bool Pings(absl::Duration patience = absl::Seconds(5)) const {
    return guest_->Pings(guest_->gateway(), patience);
  }
  // The same of a guest that is not there yet.
  static bool Reaches(const v1::Tap& tap) {
    const TapGuest guest(tap);
    return guest.Pings(guest.gateway());
  }
  // Frames of the TAP's guest go nowhere, and those of the other one do.
  void ExpectCutOff(const Daemon& svnetd) {
    EXPECT_THAT(Conditions(svnetd), ElementsAre(HasSubstr("SPEC_LOST: ")));
    Client alice(svnetd.socket(), Member(kAlice));
    EXPECT_EQ(alice.MustList().size(), 2u);
    EXPECT_EQ(ReasonOf(alice.Create("vm1").status), "SPEC_LOST");
    EXPECT_TRUE(Reaches(without_));
    EXPECT_FALSE(Pings(absl::Milliseconds(200)));
    // No element of svnetd's rules lets it through; without one, every frame is dropped.
    const std::string rules = Shell("nft list ruleset");
    EXPECT_THAT(rules, Not(HasSubstr(with_text_.mac())));
    EXPECT_THAT(rules, HasSubstr(without_.mac()));
  }

  v1::Tap with_text_;
  v1::Tap without_;
  std::string file_;  // of with_text_
  std::optional<TapGuest> guest_;
};

TEST_F(StateDirTest, IsMadeForRootAloneAndNamedAfterTheBridge) {
  Shell("rm -rf /run/svnet/state-*");
  Daemon svnetd = Start({"--bridge=br-vm"});
  ASSERT_TRUE(svnetd.running()) << svnetd.log();
  EXPECT_EQ(Shell("stat -c '%a %u %g' /run/svnet/state-br-vm"), "700 0 0\n");
}

TEST_F(StateDirTest, ALeaseWithoutATextHasNoFile) {
  Daemon svnetd = StartHere();
  const v1::Tap tap = Client(svnetd.socket(), Member(kAlice)).MustCreate("vm1");
  EXPECT_THAT(FilesIn(state()), IsEmpty());
  EXPECT_THAT(AliasOf(tap.tap_name()), Not(HasSubstr(" s=")));
}

TEST_F(StateDirTest, IsOneSvnetdsOnly) {
  Daemon first = StartHere();
  const TemporaryFolder elsewhere;
  const std::vector<std::string> flags = {"--bridge=svbr1", "--subnet=172.31.0.0/24"};
  {
    std::vector<std::string> same = flags;
    same.push_back("--state-dir=" + state());
    Daemon second(elsewhere.path(), same);
    EXPECT_THAT(second.log(), HasSubstr("another svnetd uses " + state()));
    EXPECT_THAT(Conditions(second), ElementsAre(HasSubstr("NETWORK_NOT_STARTED: ")));
  }
  Daemon second(elsewhere.path(), flags);
  EXPECT_TRUE(second.running()) << second.log();
  Client(first.socket(), Member(kAlice)).MustCreate("vm1");
}

// What svnetd refuses to use, and its words.
struct Hostile {
  std::string name;
  std::string command;  // with STATE for the folder
  std::string words;

  friend std::ostream& operator<<(std::ostream& out, const Hostile& each) {
    return out << each.name;
  }
};
class HostileStateDirTest : public StateDirTest, public ::testing::WithParamInterface<Hostile> {};
INSTANTIATE_TEST_SUITE_P(
    Folders, HostileStateDirTest,
    ::testing::Values(Hostile{"OfAnotherUser", "chown 1000 STATE", "can be written by other users"},
                      Hostile{"ForAGroup", "chmod 770 STATE", "can be written by other users"},
                      Hostile{"ForAll", "chmod 777 STATE", "can be written by other users"},
                      Hostile{"ALink", "mv STATE STATE.real; ln -s STATE.real STATE",
                              "is not a folder"},
                      Hostile{"AFile", "rm -r STATE; echo text >STATE", "is not a folder"},
                      Hostile{"AFifo", "rm -r STATE; mkfifo STATE", "is not a folder"}),
    [](const auto& each) { return each.param.name; });

// Without the carrier, which follows its cause when the kernel has time.
std::string Links() { return Shell("ip link | sed -E 's/<[^>]*>//; s/ state [A-Z]+//'"); }

TEST_P(HostileStateDirTest, IsRefusedAndLeftAloneAndNoLeaseIsLost) {
  LeaveLeases();
  std::string command = GetParam().command;
  for (size_t at; (at = command.find("STATE")) != std::string::npos;) {
    command.replace(at, 5, folder() + "/s");
  }
  Shell(absl::StrCat("mv ", state(), " ", folder(), "/s; cp -a ", folder(), "/s ", folder(),
                     "/kept; ", command, "; mv ", folder(), "/s ", state()));
  const std::string before = Shell("stat -c '%F %a %u' " + state());
  const std::string links = Links();
  {
    Daemon svnetd = StartHere();
    EXPECT_THAT(svnetd.log(), HasSubstr(GetParam().words));
    EXPECT_THAT(Conditions(svnetd), ElementsAre(HasSubstr("NETWORK_NOT_STARTED: ")));
  }
  EXPECT_EQ(Shell("stat -c '%F %a %u' " + state()), before);
  EXPECT_EQ(Links(), links);
  Shell(absl::StrCat("rm -rf ", state(), "; mv ", folder(), "/kept ", state()));
  Daemon svnetd = StartHere();
  EXPECT_EQ(Client(svnetd.socket(), 0).MustList().size(), 2u);
  EXPECT_THAT(Conditions(svnetd), IsEmpty());
}

TEST_F(StateDirTest, ATextIsReadAtAStartAndGoesWithItsLease) {
  LeaveLeases();
  Daemon svnetd = StartHere();
  EXPECT_THAT(Conditions(svnetd), IsEmpty());
  EXPECT_TRUE(Pings());
  EXPECT_THAT(FilesIn(state()), ElementsAre(SpecDigest(kSpecText)));
  Client alice(svnetd.socket(), Member(kAlice));
  v1::UpdateTapRequest update;
  update.set_tap_name(with_text_.tap_name());
  update.mutable_tap()->mutable_lifetime()->mutable_until_detached()->mutable_grace()->set_seconds(
      100);
  update.mutable_update_mask()->add_paths("lifetime");
  EXPECT_EQ(alice.MustUpdate(update).generation(), 2u);
  EXPECT_THAT(AliasOf(with_text_.tap_name()), HasSubstr(" e=2 s=" + SpecDigest(kSpecText)));
  alice.MustRemove(with_text_.tap_name());
  EXPECT_THAT(FilesIn(state()), IsEmpty());
}

// What somebody has done to the file of a text while svnetd was away.
class LostTextTest : public StateDirTest, public ::testing::WithParamInterface<Hostile> {};
INSTANTIATE_TEST_SUITE_P(
    Files, LostTextTest,
    ::testing::Values(
        Hostile{"Deleted", "rm FILE", "is gone"},
        Hostile{"Truncated", "truncate -s 3 FILE", "was altered"},
        Hostile{"Empty", "truncate -s 0 FILE", "was altered"},
        Hostile{"Longer", "echo '# more' >>FILE", "was altered"},
        Hostile{"ATerabyte", "truncate -s 1T FILE", "is not a file that svnetd wrote"},
        Hostile{"ALink", "mv FILE FILE.real; ln -s FILE.real FILE", "symbolic links"},
        Hostile{"AFolder", "rm FILE; mkdir FILE", "is not a file that svnetd wrote"},
        Hostile{"AFifo", "rm FILE; mkfifo FILE", "is not a file that svnetd wrote"},
        Hostile{"ADevice", "rm FILE; mknod FILE c 1 5", "is not a file that svnetd wrote"}),
    [](const auto& each) { return each.param.name; });

TEST_P(LostTextTest, CutsTheGuestOffUntilItIsBack) {
  LeaveLeases();
  Shell("cp -a " + file_ + " " + folder() + "/kept");
  std::string command = GetParam().command;
  for (size_t at; (at = command.find("FILE")) != std::string::npos;) command.replace(at, 4, file_);
  Shell(command);
  Daemon svnetd = StartHere();
  ASSERT_TRUE(svnetd.running()) << svnetd.log();
  ExpectCutOff(svnetd);
  EXPECT_THAT(Conditions(svnetd)[0], HasSubstr(GetParam().words));
  EXPECT_THAT(Conditions(svnetd)[0], HasSubstr("svvm1eth0"));
  EXPECT_THAT(Conditions(svnetd, kBob)[0], Not(HasSubstr("svvm1eth0")));
  EXPECT_THAT(RunProgram({kSvnetctl, "--socket", svnetd.socket(), "status"}).out,
              HasSubstr("SPEC_LOST: "));
  EXPECT_EQ(Client(svnetd.socket(), Member(kAlice)).MustGet("svvm1eth0").guest_ip(),
            with_text_.guest_ip());
  Shell("rm -rf " + file_ + "; cp -a " + folder() + "/kept " + file_);
  EXPECT_THAT(Conditions(svnetd), IsEmpty());
  EXPECT_TRUE(Pings());
  EXPECT_THAT(svnetd.log(), HasSubstr("its spec was lost, and is there again"));
}

TEST_F(StateDirTest, ALostTextIsCuredByANewLease) {
  LeaveLeases();
  Shell("rm " + file_);
  Daemon svnetd = StartHere();
  ExpectCutOff(svnetd);
  Client alice(svnetd.socket(), Member(kAlice));
  alice.MustRemove("svvm1eth0");
  with_text_ = alice.MustCreate("vm1");
  EXPECT_TRUE(Reaches(with_text_));
  EXPECT_THAT(Conditions(svnetd), IsEmpty());
}

// As after a step back from a later version.
TEST_F(StateDirTest, CutsOffWhoWasGrantedWhatItDoesNotKnow) {
  LeaveLeases("svnet-spec 1\npolicy deny\n");
  Daemon svnetd = StartHere();
  ExpectCutOff(svnetd);
  EXPECT_THAT(Conditions(svnetd)[0], HasSubstr("line 2 is about \"policy\""));
  EXPECT_EQ(FilesIn(state()).size(), 1u);
}

TEST_F(StateDirTest, ATextThatIsDeletedWhileSvnetdRunsIsWrittenAgain) {
  LeaveLeases();
  Daemon svnetd = StartHere();
  EXPECT_THAT(Conditions(svnetd), IsEmpty());
  Shell("rm " + file_);
  EXPECT_THAT(Conditions(svnetd), IsEmpty());
  EXPECT_EQ(Shell("cat " + file_), kSpecText);
  EXPECT_THAT(svnetd.log(), HasSubstr("svnetd has written it again"));
}

TEST_F(StateDirTest, ForeignFilesAreLeftAloneAndLeftoversGo) {
  LeaveLeases();
  Shell("cd " + state() +
        " && echo x >AAAAAAAAAAAAAAA && echo x >BBBBBBBBBBBBBBB.new && mkdir folder && "
        "ln -s /etc/passwd link && mkfifo fifo && touch -- -rf && "
        "seq 5000 | sed s/^/foreign-/ | xargs touch && truncate -s 1T huge");
  const std::set<std::string> before = FilesIn(state());
  Daemon svnetd = StartHere();
  EXPECT_THAT(Conditions(svnetd), IsEmpty());
  std::set<std::string> after = before;
  after.erase("AAAAAAAAAAAAAAA");
  after.erase("BBBBBBBBBBBBBBB.new");
  EXPECT_EQ(FilesIn(state()), after);
  EXPECT_EQ(ShellExitCode("test -s /etc/passwd"), 0);
}

}  // namespace
}  // namespace svnet::testing
