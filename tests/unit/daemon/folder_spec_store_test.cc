#include "daemon/store/folder_spec_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "daemon/base/spec_digest.h"

namespace svnet {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class FolderSpecStoreTest : public ::testing::Test {
 protected:
  FolderSpecStoreTest() {
    std::string name = ::testing::TempDir() + "/svnet-specs-XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~FolderSpecStoreTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<SpecStore> MustOpen() const { return FolderSpecStore::Open(folder_).value(); }
  std::string PathOf(const std::string& name) const { return folder_ + "/" + name; }
  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& each : std::filesystem::directory_iterator(folder_)) {
      names.push_back(each.path().filename());
    }
    return names;
  }
  void Put(const std::string& name, const std::string& text) const {
    std::ofstream(PathOf(name), std::ios::binary | std::ios::trunc) << text;
  }

  std::string folder_;
};

// FIPS 180-4's "abc": ba7816bf 8f01cfea 414140de...
TEST(SpecDigestTest, IsTheBeginningOfTheSha256) {
  EXPECT_EQ(SpecDigest("abc"), "ungWv48Bz-pBQUD");
  EXPECT_EQ(SpecDigest(""), "47DEQpj8HBSa-_T");
  EXPECT_TRUE(IsSpecDigest(SpecDigest("abc")));
  for (const char* wrong : {"", "ungWv48Bz-pBQU", "ungWv48Bz-pBQUDe", "../../etc/group",
                            "ungWv48Bz-pBQU=", "ungWv48Bz/pBQUD"}) {
    EXPECT_FALSE(IsSpecDigest(wrong)) << wrong;
  }
}

TEST_F(FolderSpecStoreTest, ReadsWhatWasWritten) {
  const std::string text("a\0b", 3);
  std::string digest;
  {
    const auto store = MustOpen();
    digest = store->Write(text).value();
    EXPECT_EQ(*store->Write(text), digest);
    EXPECT_THAT(Files(), UnorderedElementsAre(digest));
  }
  EXPECT_EQ(*MustOpen()->Read(digest), text);
}

TEST_F(FolderSpecStoreTest, FilesAreForItsUserAlone) {
  const auto store = MustOpen();
  const std::string digest = store->Write("abc").value();
  struct stat found;
  ASSERT_EQ(stat(PathOf(digest).c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600u);
}

TEST_F(FolderSpecStoreTest, MakesItsFolder) {
  const std::string folder = PathOf("state");
  ASSERT_TRUE(FolderSpecStore::Open(folder).ok());
  struct stat found;
  ASSERT_EQ(stat(folder.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0700u);
  EXPECT_TRUE(FolderSpecStore::Open(PathOf("above/state")).ok());
  EXPECT_FALSE(FolderSpecStore::Open(PathOf("no/such/state")).ok());
}

TEST_F(FolderSpecStoreTest, TwoNeverShareAFolder) {
  {
    const auto first = MustOpen();
    EXPECT_TRUE(absl::IsFailedPrecondition(FolderSpecStore::Open(folder_).status()));
  }
  EXPECT_TRUE(FolderSpecStore::Open(folder_).ok());
}

TEST_F(FolderSpecStoreTest, RefusesAFolderThatOthersCanWriteTo) {
  ASSERT_EQ(chmod(folder_.c_str(), 0770), 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(FolderSpecStore::Open(folder_).status()));
  ASSERT_EQ(symlink("/tmp", PathOf("link").c_str()), 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(FolderSpecStore::Open(PathOf("link")).status()));
  Put("file", "text");
  EXPECT_TRUE(absl::IsFailedPrecondition(FolderSpecStore::Open(PathOf("file")).status()));
}

TEST_F(FolderSpecStoreTest, RefusesAFolderOfAnotherUser) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  ASSERT_EQ(chown(folder_.c_str(), 1000, 1000), 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(FolderSpecStore::Open(folder_).status()));
}

TEST_F(FolderSpecStoreTest, NoticesWhateverWasDoneToAFile) {
  const auto store = MustOpen();
  const std::string digest = store->Write("abc").value();
  const std::string other = store->Write("other").value();
  const auto code = [&] { return store->Read(digest).status().code(); };
  Put(digest, "ab");
  EXPECT_EQ(code(), absl::StatusCode::kDataLoss) << "truncated";
  Put(digest, "other");
  EXPECT_EQ(code(), absl::StatusCode::kDataLoss) << "another's";
  Put(digest, std::string(SpecStore::kMaxSize + 1, 'a'));
  EXPECT_EQ(code(), absl::StatusCode::kDataLoss) << "too long";
  const std::string path = PathOf(digest);
  ASSERT_EQ(unlink(path.c_str()), 0);
  EXPECT_EQ(code(), absl::StatusCode::kNotFound) << "deleted";
  Put("target", "abc");
  ASSERT_EQ(symlink("target", path.c_str()), 0);
  EXPECT_EQ(code(), absl::StatusCode::kDataLoss) << "a symbolic link";
  ASSERT_EQ(unlink(path.c_str()), 0);
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(code(), absl::StatusCode::kDataLoss) << "a FIFO";
  ASSERT_EQ(unlink(path.c_str()), 0);
  ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
  EXPECT_EQ(code(), absl::StatusCode::kDataLoss) << "a folder";
  EXPECT_EQ(*store->Read(other), "other");
}

TEST_F(FolderSpecStoreTest, WritesAnewWhatWasAltered) {
  const auto store = MustOpen();
  const std::string digest = store->Write("abc").value();
  Put(digest, "ab");
  EXPECT_EQ(*store->Write("abc"), digest);
  EXPECT_EQ(*store->Read(digest), "abc");
}

TEST_F(FolderSpecStoreTest, DeletesWhatNobodyNames) {
  const auto store = MustOpen();
  const std::string kept = store->Write("abc").value();
  const std::string deleted = store->Write("other").value();
  Put(deleted + ".new", "oth");
  Put("somebody's", "file");
  ASSERT_TRUE(store->DeleteAllBut({kept}).ok());
  EXPECT_THAT(Files(), UnorderedElementsAre(kept, "somebody's"));
}

TEST_F(FolderSpecStoreTest, DeletesTheRestIfOneCannotBeDeleted) {
  const auto store = MustOpen();
  const std::string first = store->Write("abc").value();
  const std::string second = store->Write("other").value();
  ASSERT_EQ(unlink(PathOf(first).c_str()), 0);
  ASSERT_EQ(mkdir(PathOf(first).c_str(), 0700), 0);
  EXPECT_FALSE(store->DeleteAllBut({}).ok());
  EXPECT_THAT(Files(), UnorderedElementsAre(first));
}

TEST_F(FolderSpecStoreTest, DeletesOneText) {
  const auto store = MustOpen();
  const std::string digest = store->Write("abc").value();
  const std::string kept = store->Write("other").value();
  EXPECT_TRUE(store->Delete(digest).ok());
  EXPECT_TRUE(store->Delete(digest).ok()) << "it is gone already";
  EXPECT_THAT(Files(), UnorderedElementsAre(kept));
}

TEST_F(FolderSpecStoreTest, RefusesATextThatIsTooLong) {
  const auto store = MustOpen();
  EXPECT_FALSE(store->Write(std::string(SpecStore::kMaxSize + 1, 'a')).ok());
  EXPECT_THAT(Files(), IsEmpty());
}

// Where Write is interrupted, and how.
struct Interruption {
  std::string name;
  std::string fault;  // see fault_point.h
  bool dies;

  friend void PrintTo(const Interruption& each, std::ostream* out) { *out << each.name; }
};

// A process that is killed, or that fails, before any step of Write leaves no text that Read
// finds, and the next Write succeeds.
class FolderSpecStoreFaultTest : public FolderSpecStoreTest,
                                 public ::testing::WithParamInterface<Interruption> {};

TEST_P(FolderSpecStoreFaultTest, LeavesTheWholeTextOrNone) {
  const pid_t child = fork();
  if (child == 0) {
    setenv("SVNET_FAULT", GetParam().fault.c_str(), 1);
    const auto store = MustOpen();
    _exit(store->Write("abc").ok() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  const bool died = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  EXPECT_TRUE(GetParam().dies ? died : status == 0) << status;
  const auto store = MustOpen();
  EXPECT_TRUE(absl::IsNotFound(store->Read(SpecDigest("abc")).status()));
  EXPECT_EQ(*store->Write("abc"), SpecDigest("abc"));
  ASSERT_TRUE(store->DeleteAllBut({SpecDigest("abc")}).ok());
  EXPECT_THAT(Files(), UnorderedElementsAre(SpecDigest("abc")));
}

INSTANTIATE_TEST_SUITE_P(
    EachStep, FolderSpecStoreFaultTest,
    ::testing::Values(Interruption{"DiesBeforeCreate", "spec.create:1:die", true},
                      Interruption{"FailsToCreate", "spec.create:1:fail", false},
                      Interruption{"DiesBeforeWrite", "spec.write:1:die", true},
                      Interruption{"FailsToWrite", "spec.write:1:fail", false},
                      Interruption{"DiesBeforeRename", "spec.rename:1:die", true},
                      Interruption{"FailsToRename", "spec.rename:1:fail", false}),
    [](const auto& test) { return test.param.name; });

TEST_F(FolderSpecStoreTest, KeepsWhatIsServedBesideTheSpecs) {
  auto store = FolderSpecStore::Open(folder_).value();
  EXPECT_TRUE(absl::IsNotFound(store->ReadServed().status()));
  ASSERT_TRUE(store->WriteServed("one").ok());
  ASSERT_TRUE(store->WriteServed("another").ok());
  EXPECT_TRUE(store->DeleteAllBut({}).ok());
  EXPECT_EQ(*store->ReadServed(), "another");
  EXPECT_THAT(Files(), UnorderedElementsAre("served.toml"));
  // Not while somebody uses it.
  EXPECT_FALSE(FolderSpecStore::ReadServedIn(folder_).ok());
  store.reset();
  EXPECT_EQ(*FolderSpecStore::ReadServedIn(folder_), "another");
  EXPECT_FALSE(FolderSpecStore::ReadServedIn(folder_ + "/none").ok());
  ASSERT_EQ(chmod(folder_.c_str(), 0777), 0);
  EXPECT_FALSE(FolderSpecStore::ReadServedIn(folder_).ok());
}

}  // namespace
}  // namespace svnet
