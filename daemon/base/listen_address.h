// Where metrics are served.
#pragma once

#include <netinet/in.h>

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace svnet {

// An address that only this host reaches, and a port.
class ListenAddress {
 public:
  // "127.0.0.1:9464". InvalidArgument for what is no address of 127.0.0.0/8: the drop-in
  // for svnetd.service that docs/operations.md has lets it open sockets of IPv4 only.
  static absl::StatusOr<ListenAddress> Parse(absl::string_view text);

  // As Parse takes it.
  const std::string& text() const { return text_; }
  const sockaddr_in& address() const { return address_; }

  friend bool operator==(const ListenAddress& a, const ListenAddress& b) {
    return a.text_ == b.text_;
  }

 private:
  ListenAddress(std::string text, const sockaddr_in& address)
      : text_(std::move(text)), address_(address) {}

  std::string text_;
  sockaddr_in address_;
};

}  // namespace svnet
