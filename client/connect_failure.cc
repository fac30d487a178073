#include "client/connect_failure.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/account.h"

namespace svnet::client {
namespace {

// The gid of the first thing that can be seen, from `path` upwards: if it is not
// `path` itself, then it is the folder that is closed.
gid_t BarringGroup(std::filesystem::path path) {
  struct stat file = {};
  while (stat(path.c_str(), &file) != 0 && path.has_relative_path()) path = path.parent_path();
  return file.st_gid;
}

Barrier::Membership MembershipIn(gid_t gid, const std::string& user) {
  if (getegid() == gid || group_member(gid)) return Barrier::Membership::kNow;
  return IsMember(user, gid) ? Barrier::Membership::kAfterLogin : Barrier::Membership::kNone;
}

struct Explanation {
  std::string message;
  std::string hint;
};

Explanation ExplainBarrier(const std::string& socket, const Barrier& barrier) {
  const std::string refusal = absl::StrCat("not allowed to open ", socket);
  if (barrier.is_roots) {
    return {absl::StrCat(refusal, ": only root may open it"),
            "run svnetctl as root, or let svnetd give the socket to a group (socket_group in "
            "/etc/svnet/svnetd.toml)"};
  }
  switch (barrier.membership) {
    case Barrier::Membership::kNow:
      return {absl::StrCat(refusal, ", although you are in group ", barrier.group),
              absl::StrCat("look at its mode: ls -l ", socket)};
    case Barrier::Membership::kAfterLogin:
      return {absl::StrCat(refusal, ": you are in group ", barrier.group,
                           ", but this session started before that"),
              "log out and in again"};
    case Barrier::Membership::kNone:
      break;
  }
  return {absl::StrCat(refusal, ": are you in group ", barrier.group, "?"),
          absl::StrCat("join it with 'sudo usermod -aG ", barrier.group, " ", barrier.user,
                       "', then log out and in again")};
}

Explanation Explain(const std::string& socket, int error, const Barrier& barrier) {
  switch (error) {
    case ENOENT:
      return {absl::StrCat("no svnetd at ", socket,
                           ": is the service running? (systemctl status svnetd)"),
              ""};
    case ECONNREFUSED:
      return {
          absl::StrCat("no svnetd at ", socket, ": the file exists, but no process listens on it"),
          "start the service (systemctl start svnetd); if it runs, it listens elsewhere (`socket` "
          "in "
          "/etc/svnet/svnetd.toml): name that by --socket"};
    case EACCES:
      return ExplainBarrier(socket, barrier);
    case EAGAIN:  // the listener's queue stayed full until SO_SNDTIMEO
      return {absl::StrCat("svnetd at ", socket, " accepts no connections"),
              "it is stopped or overloaded: systemctl status svnetd"};
    default:
      return {absl::StrCat("cannot connect to ", socket, ": ", std::strerror(error)), ""};
  }
}

}  // namespace

Barrier ObserveBarrier(const std::string& socket) {
  const gid_t gid = BarringGroup(std::filesystem::absolute(socket));
  const std::string user = UserName(geteuid());
  return {.group = GroupName(gid),
          .is_roots = gid == 0,
          .membership = MembershipIn(gid, user),
          .user = user};
}

Failure ExplainConnectFailure(const std::string& socket, int error, const Barrier& barrier) {
  Explanation explanation = Explain(socket, error, barrier);
  return {.exit_code = ExitCode::kNoDaemon,
          .code = "UNAVAILABLE",
          .reason = "",
          .message = std::move(explanation.message),
          .hint = std::move(explanation.hint)};
}

}  // namespace svnet::client
