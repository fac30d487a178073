#include "client/doctor/live_host.h"

#include <fcntl.h>
#include <nftables/libnftables.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/account.h"
#include "client/doctor/netlink_dump.h"
#include "daemon/base/status_macros.h"
#include "daemon/base/unique_fd.h"
#include "daemon/foreign/iptables_legacy_table.h"
#include "daemon/foreign/nft_json.h"
#include "daemon/netlink/nft_tables.h"

namespace svnet::client {
namespace {

// Large enough for every file that is read: /proc/net/arp with 10,000 guests has about 800 KiB.
constexpr size_t kLongestFile = 4 << 20;  // bytes

struct FreeContext {
  void operator()(nft_ctx* context) const { nft_ctx_free(context); }
};

// What the command prints, in JSON.
absl::StatusOr<std::string> RunNft(const std::string& command) {
  if (geteuid() != 0) return absl::PermissionDeniedError("only root may list nftables");
  const std::unique_ptr<nft_ctx, FreeContext> nft(nft_ctx_new(NFT_CTX_DEFAULT));
  if (nft == nullptr) return absl::ResourceExhaustedError("nftables: out of memory");
  nft_ctx_output_set_flags(nft.get(), NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_TERSE);
  nft_ctx_buffer_output(nft.get());
  nft_ctx_buffer_error(nft.get());
  if (nft_run_cmd_from_buffer(nft.get(), command.c_str()) != 0) {
    return absl::UnavailableError("the kernel does not list its nftables rules");
  }
  return std::string(nft_ctx_get_output_buffer(nft.get()));
}

}  // namespace

absl::StatusOr<std::string> LiveHost::ReadFile(const std::string& path) const {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) return absl::ErrnoToStatus(errno, path);
  std::string text;
  char buffer[16384];
  for (ssize_t size; (size = read(file.get(), buffer, sizeof(buffer))) != 0;) {
    if (size < 0) return absl::ErrnoToStatus(errno, path);
    text.append(buffer, size);
    if (text.size() > kLongestFile) return absl::OutOfRangeError(path + ": too long");
  }
  return text;
}

std::vector<std::string> LiveHost::ListFolder(const std::string& path) const {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error)) {
    names.push_back(entry->path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<FileFacts> LiveHost::Stat(const std::string& path) const {
  struct stat file = {};
  if (stat(path.c_str(), &file) != 0) return absl::ErrnoToStatus(errno, path);
  return FileFacts{.mode = file.st_mode, .uid = file.st_uid, .gid = file.st_gid};
}

absl::StatusOr<std::string> LiveHost::ReadLink(const std::string& path) const {
  char target[4096];
  const ssize_t size = readlink(path.c_str(), target, sizeof(target));
  if (size < 0) return absl::ErrnoToStatus(errno, path);
  return std::string(target, size);
}

absl::Status LiveHost::TryOpen(const std::string& path) const {
  const UniqueFd file(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
  return file.valid() ? absl::OkStatus() : absl::ErrnoToStatus(errno, path);
}

absl::StatusOr<pid_t> LiveHost::ListenerOf(const std::string& path) const {
  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address = {.sun_family = AF_UNIX};
  if (path.size() >= sizeof(address.sun_path)) return absl::InvalidArgumentError(path);
  std::copy(path.begin(), path.end(), address.sun_path);
  ucred listener = {};
  socklen_t size = sizeof(listener);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &listener, &size) != 0) {
    return absl::ErrnoToStatus(errno, path);
  }
  return listener.pid;
}

CallerFacts LiveHost::Caller() const {
  std::vector<gid_t> groups(std::max(getgroups(0, nullptr), 0));
  groups.resize(std::max(getgroups(static_cast<int>(groups.size()), groups.data()), 0));
  groups.push_back(getegid());
  return {.user = UserName(geteuid()), .uid = geteuid(), .groups = groups};
}

bool LiveHost::IsMember(const std::string& user, gid_t group) const {
  return client::IsMember(user, group);
}

std::string LiveHost::GroupName(gid_t group) const { return client::GroupName(group); }

absl::StatusOr<std::vector<HostLink>> LiveHost::Links() const { return DumpLinks(); }

absl::StatusOr<std::vector<HostAddress>> LiveHost::Addresses() const { return DumpAddresses(); }

absl::StatusOr<std::vector<HostRoute>> LiveHost::Routes() const { return DumpRoutes(); }

absl::StatusOr<std::vector<FilterChain>> LiveHost::NftChains() const {
  if (geteuid() != 0) return absl::PermissionDeniedError("only root may list nftables");
  SVNET_ASSIGN_OR_RETURN(const std::vector<std::string> commands, CommandsToListRules({}));
  std::vector<FilterChain> chains;
  for (const std::string& command : commands) {
    SVNET_ASSIGN_OR_RETURN(const std::string json, RunNft(command));
    SVNET_ASSIGN_OR_RETURN(const std::vector<FilterChain> some, ParseRuleset(json));
    chains.insert(chains.end(), some.begin(), some.end());
  }
  return chains;
}

absl::StatusOr<int64_t> LiveHost::NftCounter(const std::string& family, const std::string& table,
                                             const std::string& name) const {
  SVNET_ASSIGN_OR_RETURN(const std::string json,
                         RunNft(absl::StrCat("list counter ", family, " ", table, " ", name)));
  return ParseCounter(json);
}

absl::StatusOr<std::vector<FilterChain>> LiveHost::LegacyChains() const {
  return ReadIptablesLegacyFilter();
}

}  // namespace svnet::client
