// A TAP, opened as a VMM opens it.
#pragma once

#include <string>

// Closes it when it goes.
class TapDevice {
 public:
  // Needs no privilege if the TAP is the caller's own. Throws std::system_error; EBUSY means
  // that somebody has it open already.
  explicit TapDevice(const std::string& name);
  ~TapDevice();
  TapDevice(const TapDevice&) = delete;
  TapDevice& operator=(const TapDevice&) = delete;

  // One read(2) or write(2) is one frame, after a virtio_net_hdr.
  int fd() const { return fd_; }

 private:
  int fd_;
};
