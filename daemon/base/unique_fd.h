// A file descriptor with one owner.
#pragma once

#include <unistd.h>

#include <utility>

namespace svnet {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.Release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    Reset(other.Release());
    return *this;
  }
  ~UniqueFd() { Reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

  // The caller owns what is returned; -1 if there was none.
  [[nodiscard]] int Release() { return std::exchange(fd_, -1); }

  // close(2) is not retried: on Linux the descriptor is gone whatever it answers.
  void Reset(int fd = -1) {
    if (fd_ >= 0) close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

}  // namespace svnet
