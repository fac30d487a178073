#include "tests/system/http2_flood.h"

#include <gtest/gtest.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <thread>

#include "absl/time/clock.h"
#include "tests/system/borrowed_ids.h"
#include "tests/system/http2_frame.h"
#include "tests/system/raw_call.h"

namespace svnet::testing {
namespace {

// None if it would have to wait for svnetd to take it.
UniqueFd ConnectWithoutWaiting(const std::string& path, const RunAs& who) {
  const BorrowedIds ids(who);
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address = {.sun_family = AF_UNIX};
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) fd.Reset();
  return fd;
}

}  // namespace

Processes::Processes(int count, const std::function<void(int number)>& work) {
  for (int i = 0; i < count; ++i) {
    const pid_t pid = fork();
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      // Among them are the test's own connections, which must end when the test closes them.
      syscall(SYS_close_range, STDERR_FILENO + 1, ~0u, 0);
      work(i);
      _exit(0);
    }
    pids_.push_back(pid);
  }
}

Processes::~Processes() {
  for (const pid_t pid : pids_) kill(pid, SIGKILL);
  for (const pid_t pid : pids_) waitpid(pid, nullptr, 0);
}

CpuBurners::CpuBurners(int count)
    : processes_(count, [](int) {
        for (std::atomic<uint64_t> i = 0;; ++i) {
        }
      }) {}

ConnectStorm::ConnectStorm(const std::string& socket, const RunAs& who, int held)
    : processes_(1, [&](int) {
        constexpr int kSpare = 100;
        const rlimit limit = {.rlim_cur = static_cast<rlim_t>(held + kSpare),
                              .rlim_max = static_cast<rlim_t>(held + kSpare)};
        setrlimit(RLIMIT_NOFILE, &limit);
        const BorrowedIds ids(who);
        prctl(PR_SET_PDEATHSIG, SIGKILL);  // a change of ids clears it
        sockaddr_un address = {.sun_family = AF_UNIX};
        std::strncpy(address.sun_path, socket.c_str(), sizeof(address.sun_path) - 1);
        std::deque<UniqueFd> open;
        while (true) {
          UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
          const auto name = reinterpret_cast<const sockaddr*>(&address);
          if (connect(fd.get(), name, sizeof(address)) != 0) continue;
          open.push_back(std::move(fd));
          if (open.size() > static_cast<size_t>(held)) open.pop_front();
        }
      }) {}

// Made again whenever it is closed.
class Http2Flood::Connection {
 public:
  Connection(const std::string* socket, const Http2Attack* attack, RunAs who, std::string greeting,
             Counts* counts)
      : socket_(socket),
        attack_(attack),
        who_(std::move(who)),
        greeting_(std::move(greeting)),
        counts_(counts) {}

  // What to wait for; connects if need be.
  pollfd Prepare() {
    if (!fd_.valid()) Open();
    const short events = attack_->reads ? POLLIN | POLLOUT : POLLOUT;
    return {.fd = fd_.get(), .events = events, .revents = 0};
  }

  void Handle(short events) {
    if ((events & POLLIN) != 0) Read();
    if ((events & POLLOUT) != 0) Write();
    if ((events & (POLLHUP | POLLERR)) != 0) fd_.Reset();
  }

 private:
  void Open() {
    fd_ = ConnectWithoutWaiting(*socket_, who_);
    if (!fd_.valid()) return;
    ++counts_->connections;
    unsent_ = greeting_ + attack_->start;
    sent_ = 0;
    stream_ = attack_->start.empty() ? 1 : 3;
  }

  void Read() {
    char buffer[65'536];
    const ssize_t count = recv(fd_.get(), buffer, sizeof(buffer), 0);
    if (count == 0 || (count < 0 && errno != EAGAIN)) fd_.Reset();
  }

  void Write() {
    if (sent_ == unsent_.size()) {
      unsent_ = attack_->next(&stream_);
      sent_ = 0;
    }
    const ssize_t count =
        send(fd_.get(), unsent_.data() + sent_, unsent_.size() - sent_, MSG_NOSIGNAL);
    if (count > 0) {
      sent_ += count;
      counts_->sent += count;
    } else if (errno != EAGAIN) {
      fd_.Reset();
    }
  }

  const std::string* const socket_;
  const Http2Attack* const attack_;
  const RunAs who_;
  const std::string greeting_;
  Counts* const counts_;
  UniqueFd fd_;
  std::string unsent_;
  size_t sent_ = 0;  // of unsent_
  uint32_t stream_ = 1;
};

Http2Flood::Http2Flood(const std::string& socket, const Http2Attack& attack,
                       const FloodSource& source, bool acknowledges_settings)
    : processes_(source.processes, [&, counts = counts_.get()](int process) {
        std::string greeting = RawStart();
        if (acknowledges_settings) greeting += HttpFrame(FrameType::kSettings, kAck, 0);
        std::vector<Connection> connections;
        for (int i = 0; i < source.connections; ++i) {
          connections.emplace_back(&socket, &attack, source.who(process, i), greeting, counts);
        }
        std::vector<pollfd> waits(connections.size());
        while (true) {
          constexpr int kTryAgain = 10;  // ms, to connect
          std::transform(connections.begin(), connections.end(), waits.begin(),
                         [](Connection& connection) { return connection.Prepare(); });
          poll(waits.data(), waits.size(), kTryAgain);
          for (size_t i = 0; i < waits.size(); ++i) connections[i].Handle(waits[i].revents);
        }
      }) {}

void Http2Flood::WaitUntilSent(uint64_t bytes) const {
  const absl::Time end = absl::Now() + absl::Seconds(20);
  while (sent() < bytes && absl::Now() < end) std::this_thread::yield();
  EXPECT_GE(sent(), bytes);
}

void Http2Flood::Unmap::operator()(Counts* counts) const { munmap(counts, sizeof(Counts)); }

std::unique_ptr<Http2Flood::Counts, Http2Flood::Unmap> Http2Flood::SharedCounts() {
  void* memory =
      mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return std::unique_ptr<Counts, Unmap>(new (memory) Counts());
}

}  // namespace svnet::testing
