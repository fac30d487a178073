// HTTP/1.1, as much of it as a reader of metrics needs. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace svnet {

// Bytes of a request up to the empty line that ends its head.
inline constexpr size_t kMaxRequestHead = 8 << 10;

enum class HttpStatus {
  kOk = 200,
  kBadRequest = 400,
  // Not 421 for the wrong Host: browsers try that again on a connection of its own.
  kForbidden = 403,
  kNotFound = 404,
  kMethodNotAllowed = 405,
  kHeadTooLarge = 431,
  kUnavailable = 503,
};

// What a request deserves: kOk if it reads /metrics.
struct HttpVerdict {
  HttpStatus status = HttpStatus::kOk;
  bool with_body = true;  // false for HEAD

  friend bool operator==(const HttpVerdict&, const HttpVerdict&) = default;
};

// `received`: all that the reader has sent so far. Nullopt: the head goes on. What comes behind
// the head is not looked at: no request here needs a body, and none is answered but the first.
// RFC 9112 is taken at its strictest: lines end with CRLF, no line is folded, and the target is
// a path.
//
// Host must be what this host calls itself: localhost, [::1] or an address of 127.0.0.0/8, with
// any port or none. A page in a browser on this host reaches the socket under a name of its own
// (DNS rebinding), and then the browser says that name here. Only HTTP/1.0 may have no Host,
// which no browser speaks.
std::optional<HttpVerdict> JudgeRequest(absl::string_view received);

// The head of an answer with a body of `size` bytes; it says that the connection ends with it.
std::string RenderResponseHead(HttpStatus status, size_t size);

// What a reader is told who does not get the page.
std::string RenderExplanation(HttpStatus status);

}  // namespace svnet
