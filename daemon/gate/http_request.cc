#include "daemon/gate/http_request.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace svnet {
namespace {

constexpr absl::string_view kLineEnd = "\r\n";
constexpr absl::string_view kHeadEnd = "\r\n\r\n";

// RFC 9110, 5.6.2.
bool IsTokenCharacter(char c) {
  return absl::ascii_isalnum(c) || absl::StrContains("!#$%&'*+-.^_`|~", absl::string_view(&c, 1));
}

bool IsToken(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsTokenCharacter);
}

// Whether it may stand in a head: controls other than tabs and line ends may not.
bool IsHeadText(absl::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const bool ends_line = text[i] == '\n' && i > 0 && text[i - 1] == '\r';
    const bool begins_end = text[i] == '\r' && (i + 1 == text.size() || text[i + 1] == '\n');
    if (absl::ascii_iscntrl(text[i]) && text[i] != '\t' && !ends_line && !begins_end) return false;
  }
  return true;
}

struct RequestLine {
  absl::string_view method;
  absl::string_view path;  // without the query
  bool is_http_1_0 = false;
};

std::optional<RequestLine> ParseRequestLine(absl::string_view line) {
  // As many parts as there are: one more space is one more part.
  const std::vector<absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits(' ', 3));
  if (parts.size() != 3 || !IsToken(parts[0]) || !absl::StartsWith(parts[1], "/") ||
      !std::all_of(parts[1].begin(), parts[1].end(), absl::ascii_isgraph) ||
      (parts[2] != "HTTP/1.0" && parts[2] != "HTTP/1.1")) {
    return std::nullopt;
  }
  return RequestLine{.method = parts[0],
                     .path = parts[1].substr(0, parts[1].find('?')),
                     .is_http_1_0 = parts[2] == "HTTP/1.0"};
}

// What each Host field says. Nullopt: the lines are not header fields.
std::optional<std::vector<absl::string_view>> ParseHosts(absl::string_view lines) {
  std::vector<absl::string_view> hosts;
  for (const absl::string_view line : absl::StrSplit(lines, kLineEnd, absl::SkipEmpty())) {
    const size_t colon = line.find(':');
    if (colon == absl::string_view::npos || !IsToken(line.substr(0, colon))) return std::nullopt;
    if (absl::EqualsIgnoreCase(line.substr(0, colon), "host")) {
      hosts.push_back(absl::StripAsciiWhitespace(line.substr(colon + 1)));
    }
  }
  return hosts;
}

bool IsLoopbackAddress(absl::string_view text) {
  in_addr address = {};
  return inet_pton(AF_INET, std::string(text).c_str(), &address) == 1 &&
         ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET;
}

// RFC 3986, 3.2.3: it may be empty.
bool IsPort(absl::string_view text) {
  uint32_t port = 0;
  return text.empty() || (text.size() <= 5 && absl::ascii_isdigit(text[0]) &&
                          absl::SimpleAtoi(text, &port) && port <= 65535);
}

bool IsThisHost(absl::string_view host) {
  const size_t colon = host.rfind(':');
  if (colon != absl::string_view::npos && !absl::EndsWith(host, "]")) {
    if (!IsPort(host.substr(colon + 1))) return false;
    host = host.substr(0, colon);
  }
  return absl::EqualsIgnoreCase(host, "localhost") || host == "[::1]" || IsLoopbackAddress(host);
}

HttpStatus StatusOf(const RequestLine& line, const std::vector<absl::string_view>& hosts) {
  if (hosts.size() > 1 || (hosts.empty() && !line.is_http_1_0)) return HttpStatus::kBadRequest;
  if (!hosts.empty() && !IsThisHost(hosts.front())) return HttpStatus::kForbidden;
  if (line.method != "GET" && line.method != "HEAD") return HttpStatus::kMethodNotAllowed;
  return line.path == "/metrics" ? HttpStatus::kOk : HttpStatus::kNotFound;
}

absl::string_view PhraseOf(HttpStatus status) {
  switch (status) {
    case HttpStatus::kOk:
      return "OK";
    case HttpStatus::kBadRequest:
      return "Bad Request";
    case HttpStatus::kForbidden:
      return "Forbidden";
    case HttpStatus::kNotFound:
      return "Not Found";
    case HttpStatus::kMethodNotAllowed:
      return "Method Not Allowed";
    case HttpStatus::kHeadTooLarge:
      return "Request Header Fields Too Large";
    case HttpStatus::kUnavailable:
      return "Service Unavailable";
  }
  return "";
}

}  // namespace

std::optional<HttpVerdict> JudgeRequest(absl::string_view received) {
  const size_t end = received.substr(0, kMaxRequestHead).find(kHeadEnd);
  const bool complete = end != absl::string_view::npos;
  // Also of what is not complete: what speaks TLS, or ends its lines otherwise, is told at once.
  if (!IsHeadText(received.substr(0, complete ? end + kHeadEnd.size() : kMaxRequestHead))) {
    return HttpVerdict{.status = HttpStatus::kBadRequest};
  }
  if (!complete) {
    if (received.size() < kMaxRequestHead) return std::nullopt;
    return HttpVerdict{.status = HttpStatus::kHeadTooLarge};
  }
  const absl::string_view head = received.substr(0, end);
  const size_t first = std::min(head.find(kLineEnd), head.size());
  const std::optional<RequestLine> line = ParseRequestLine(head.substr(0, first));
  const std::optional<std::vector<absl::string_view>> hosts = ParseHosts(head.substr(first));
  if (!line.has_value() || !hosts.has_value()) {
    return HttpVerdict{.status = HttpStatus::kBadRequest};
  }
  return HttpVerdict{.status = StatusOf(*line, *hosts), .with_body = line->method != "HEAD"};
}

std::string RenderResponseHead(HttpStatus status, size_t size) {
  const bool is_page = status == HttpStatus::kOk;
  return absl::StrCat("HTTP/1.1 ", static_cast<int>(status), " ", PhraseOf(status),
                      "\r\nContent-Type: text/plain; ", is_page ? "version=0.0.4; " : "",
                      "charset=utf-8\r\nContent-Length: ", size,
                      status == HttpStatus::kMethodNotAllowed ? "\r\nAllow: GET, HEAD" : "",
                      "\r\nConnection: close\r\n\r\n");
}

std::string RenderExplanation(HttpStatus status) {
  const absl::string_view help =
      status == HttpStatus::kNotFound ? ": metrics are at /metrics"
      : status == HttpStatus::kForbidden
          ? ": Host must be localhost or a loopback address, as 127.0.0.1:9464 is"
      : status == HttpStatus::kUnavailable ? ": svnetd does not give its metrics now"
                                           : "";
  return absl::StrCat(static_cast<int>(status), " ", PhraseOf(status), help, "\n");
}

}  // namespace svnet
