#include "daemon/store/folder_spec_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "daemon/base/fault_point.h"
#include "daemon/base/spec_digest.h"
#include "daemon/base/status_macros.h"

namespace svnet {
namespace {

constexpr absl::string_view kUnfinished = ".new";  // a text that is being written
constexpr char kServed[] = "served.toml";

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};

absl::Status Failed(absl::string_view what, absl::string_view name) {
  return absl::ErrnoToStatus(errno, absl::StrCat(what, " ", name));
}

absl::Status MakeFolder(const std::string& path, mode_t mode) {
  if (mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return absl::OkStatus();
  return Failed("cannot make the `state_dir`", path);
}

// Only the last folder of the path and the one above it: a mistyped path does not grow a tree.
absl::Status EnsureFolder(const std::string& path) {
  const std::string above = std::filesystem::path(path).parent_path();
  if (!above.empty()) SVNET_RETURN_IF_ERROR(MakeFolder(above, 0755));
  return MakeFolder(path, S_IRWXU);
}

absl::Status CheckOwner(const UniqueFd& folder, const std::string& path) {
  struct stat found;
  if (fstat(folder.get(), &found) != 0) return Failed("stat", path);
  if (found.st_uid == geteuid() && (found.st_mode & (S_IWGRP | S_IWOTH)) == 0) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat(path, " can be written by other users: remove it, or set another `state_dir`"));
}

absl::StatusOr<std::string> ReadAll(const UniqueFd& file, absl::string_view name) {
  struct stat found;
  if (fstat(file.get(), &found) != 0) return Failed("stat", name);
  if (!S_ISREG(found.st_mode) || found.st_size < 0 ||
      static_cast<size_t>(found.st_size) > SpecStore::kMaxSize) {
    return absl::DataLossError(absl::StrCat(name, " is not a file that svnetd wrote"));
  }
  std::string text(static_cast<size_t>(found.st_size), '\0');
  size_t got = 0;
  while (got < text.size()) {
    const ssize_t count = read(file.get(), text.data() + got, text.size() - got);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Failed("read", name);
    if (count == 0) break;
    got += static_cast<size_t>(count);
  }
  text.resize(got);
  return text;
}

// NotFound if there is no such file, DataLoss if it cannot be read.
absl::StatusOr<std::string> ReadIn(const UniqueFd& folder, const std::string& name) {
  // O_NONBLOCK: a FIFO in its place is not waited for.
  const UniqueFd file(
      openat(folder.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file.valid() && errno == ENOENT) {
    return absl::NotFoundError(absl::StrCat("the file ", name, " is gone"));
  }
  if (!file.valid()) return absl::DataLossError(Failed("open", name).message());
  absl::StatusOr<std::string> text = ReadAll(file, name);
  if (!text.ok()) return absl::DataLossError(text.status().message());
  return text;
}

absl::Status WriteAll(const UniqueFd& file, absl::string_view text, absl::string_view name) {
  while (!text.empty()) {
    const ssize_t count = write(file.get(), text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Failed("write", name);
    text.remove_prefix(static_cast<size_t>(count));
  }
  return absl::OkStatus();
}

// The digest in the name of a file that Write makes or has begun to make; empty: it is neither.
absl::string_view DigestIn(absl::string_view name) {
  const absl::string_view digest = absl::StripSuffix(name, kUnfinished);
  return IsSpecDigest(digest) ? digest : "";
}

// The files that Write has made, or has begun to make.
absl::StatusOr<std::vector<std::string>> ListTexts(const UniqueFd& folder) {
  // A descriptor of its own: the position of a duplicate would be shared.
  UniqueFd again(openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!again.valid()) return Failed("open", "the folder of specs");
  const std::unique_ptr<DIR, CloseFolder> reader(fdopendir(again.get()));
  if (reader == nullptr) return Failed("open", "the folder of specs");
  static_cast<void>(again.Release());  // the reader's now
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(reader.get())) {
    if (!DigestIn(entry->d_name).empty()) names.emplace_back(entry->d_name);
  }
  if (errno != 0) return Failed("read", "the folder of specs");
  return names;
}

}  // namespace

absl::StatusOr<std::unique_ptr<FolderSpecStore>> FolderSpecStore::Open(const std::string& folder) {
  SVNET_RETURN_IF_ERROR(EnsureFolder(folder));
  UniqueFd opened(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!opened.valid() && (errno == ENOTDIR || errno == ELOOP)) {
    return absl::FailedPreconditionError(
        absl::StrCat(folder, " is not a folder: remove it, or set another `state_dir`"));
  }
  if (!opened.valid()) return Failed("open", folder);
  SVNET_RETURN_IF_ERROR(CheckOwner(opened, folder));
  if (flock(opened.get(), LOCK_EX | LOCK_NB) == 0) {
    return std::unique_ptr<FolderSpecStore>(new FolderSpecStore(std::move(opened)));
  }
  if (errno != EWOULDBLOCK) return Failed("lock", folder);
  return absl::FailedPreconditionError(
      absl::StrCat("another svnetd uses ", folder, ": stop it, or set another `state_dir`"));
}

absl::StatusOr<std::string> FolderSpecStore::Write(absl::string_view text) {
  if (text.size() > kMaxSize) {
    return absl::InvalidArgumentError(absl::StrCat("a spec has at most ", kMaxSize, " bytes"));
  }
  std::string digest = SpecDigest(text);
  // Equal texts are one file; one that was altered is written anew.
  if (Read(digest).ok()) return digest;
  SVNET_RETURN_IF_ERROR(Replace(digest, text, "spec"));
  return digest;
}

absl::Status FolderSpecStore::WriteServed(absl::string_view text) {
  return Replace(kServed, text, "served");
}

absl::StatusOr<std::string> FolderSpecStore::ReadServed() const { return ReadIn(folder_, kServed); }

absl::StatusOr<std::string> FolderSpecStore::ReadServedIn(const std::string& folder) {
  const UniqueFd opened(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!opened.valid()) return Failed("open", folder);
  SVNET_RETURN_IF_ERROR(CheckOwner(opened, folder));
  if (flock(opened.get(), LOCK_SH | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(absl::StrCat("another svnetd uses ", folder));
  }
  return ReadIn(opened, kServed);
}

absl::Status FolderSpecStore::Replace(const std::string& name, absl::string_view text,
                                      absl::string_view what) {
  const std::string unfinished = absl::StrCat(name, kUnfinished);
  absl::Cleanup remove = [&] { unlinkat(folder_.get(), unfinished.c_str(), 0); };
  SVNET_RETURN_IF_ERROR(WriteFile(unfinished, text, what));
  SVNET_RETURN_IF_ERROR(FaultPoint(absl::StrCat(what, ".rename")));
  if (renameat(folder_.get(), unfinished.c_str(), folder_.get(), name.c_str()) != 0) {
    return Failed("rename", unfinished);
  }
  std::move(remove).Cancel();
  return absl::OkStatus();
}

absl::Status FolderSpecStore::WriteFile(const std::string& name, absl::string_view text,
                                        absl::string_view what) {
  // What a svnetd that was killed has left.
  unlinkat(folder_.get(), name.c_str(), 0);
  SVNET_RETURN_IF_ERROR(FaultPoint(absl::StrCat(what, ".create")));
  const UniqueFd file(openat(folder_.get(), name.c_str(),
                             O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                             S_IRUSR | S_IWUSR));
  if (!file.valid()) return Failed("make", name);
  SVNET_RETURN_IF_ERROR(FaultPoint(absl::StrCat(what, ".write")));
  return WriteAll(file, text, name);
}

absl::StatusOr<std::string> FolderSpecStore::Read(absl::string_view digest) const {
  if (!IsSpecDigest(digest)) return absl::NotFoundError("that is not the digest of a spec");
  SVNET_ASSIGN_OR_RETURN(std::string text, ReadIn(folder_, std::string(digest)));
  if (SpecDigest(text) == digest) return text;
  return absl::DataLossError(absl::StrCat("the spec ", digest, " was altered"));
}

absl::Status FolderSpecStore::DeleteAllBut(const std::set<std::string>& digests) {
  SVNET_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListTexts(folder_));
  absl::Status deleted = absl::OkStatus();
  for (const std::string& name : names) {
    if (!digests.contains(name)) deleted.Update(DeleteFile(name));
  }
  return deleted;
}

absl::Status FolderSpecStore::Delete(const std::string& digest) {
  return IsSpecDigest(digest) ? DeleteFile(digest) : absl::OkStatus();
}

absl::Status FolderSpecStore::DeleteFile(const std::string& name) {
  SVNET_RETURN_IF_ERROR(FaultPoint("spec.delete"));
  if (unlinkat(folder_.get(), name.c_str(), 0) == 0 || errno == ENOENT) return absl::OkStatus();
  return Failed("delete", name);
}

}  // namespace svnet
