// What HTTP a reader of metrics may speak.
#include "daemon/gate/http_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace svnet {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

HttpStatus StatusOf(absl::string_view request) {
  const auto verdict = JudgeRequest(request);
  EXPECT_TRUE(verdict.has_value()) << request;
  return verdict.value_or(HttpVerdict()).status;
}

std::string Get(absl::string_view host, absl::string_view target = "/metrics") {
  return absl::StrCat("GET ", target, " HTTP/1.1\r\nHost: ", host, "\r\n\r\n");
}

TEST(HttpRequestTest, CurlAndPrometheusReadThePage) {
  EXPECT_EQ(JudgeRequest("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:9464\r\n"
                         "User-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n"),
            HttpVerdict());
  EXPECT_EQ(
      JudgeRequest("GET /metrics HTTP/1.1\r\nHost: localhost:9464\r\n"
                   "User-Agent: Prometheus/2.42.0\r\n"
                   "Accept: application/openmetrics-text;version=1.0.0,*/*;q=0.1\r\n"
                   "Accept-Encoding: gzip\r\nX-Prometheus-Scrape-Timeout-Seconds: 10\r\n\r\n"),
      HttpVerdict());
  EXPECT_EQ(JudgeRequest("GET /metrics HTTP/1.0\r\n\r\n"), HttpVerdict());
  EXPECT_EQ(JudgeRequest("HEAD /metrics?x=1 HTTP/1.1\r\nhost:localhost\r\n\r\n"),
            (HttpVerdict{.with_body = false}));
}

TEST(HttpRequestTest, HostIsThisHosts) {
  for (const char* host :
       {"127.0.0.1", "127.0.0.1:9464", "127.9.8.7:1", "localhost", "LocalHost:65535",
        "localhost:", "[::1]", "[::1]:9464", " \t127.0.0.1 "}) {
    EXPECT_EQ(StatusOf(Get(host)), HttpStatus::kOk) << host;
  }
  for (const char* host : {"",
                           "evil.example",
                           "evil.example:9464",
                           "127.0.0.1.evil.example",
                           "localhost.evil.example",
                           "evil.example:127.0.0.1",
                           "10.0.0.1",
                           "0.0.0.0",
                           "128.0.0.1",
                           "127.1",
                           "::1",
                           "[::2]",
                           "[::1",
                           "[::1]x",
                           "localhost:65536",
                           "localhost:-1",
                           "localhost:1x",
                           "localhost:000001",
                           "localhost,evil.example",
                           "user@localhost",
                           "localhost:80:80"}) {
    EXPECT_EQ(StatusOf(Get(host)), HttpStatus::kForbidden) << host;
  }
}

TEST(HttpRequestTest, HostIsThereOnce) {
  EXPECT_EQ(StatusOf("GET /metrics HTTP/1.1\r\n\r\n"), HttpStatus::kBadRequest);
  EXPECT_EQ(StatusOf("GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n"),
            HttpStatus::kBadRequest);
  EXPECT_EQ(StatusOf("GET /metrics HTTP/1.0\r\nHost: evil.example\r\n\r\n"),
            HttpStatus::kForbidden);
}

TEST(HttpRequestTest, OnlyThePageIsThere) {
  for (const char* target : {"/", "/metrics/", "/metricsx", "/../../etc/passwd", "/%6detrics",
                             "/?/metrics", "//metrics", "/METRICS"}) {
    EXPECT_EQ(StatusOf(Get("localhost", target)), HttpStatus::kNotFound) << target;
  }
}

TEST(HttpRequestTest, OnlyReadingIsAllowed) {
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get", "FOO"}) {
    EXPECT_EQ(StatusOf(absl::StrCat(method, " /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")),
              HttpStatus::kMethodNotAllowed)
        << method;
  }
  EXPECT_THAT(RenderResponseHead(HttpStatus::kMethodNotAllowed, 0),
              HasSubstr("\r\nAllow: GET, HEAD\r\n"));
}

TEST(HttpRequestTest, WhatIsNoHttpIsRefused) {
  for (const char* request :
       {"\r\n\r\n", "GET\r\n\r\n", "GET /metrics\r\n\r\n", "GET  /metrics HTTP/1.0\r\n\r\n",
        "GET /metrics HTTP/1.0 \r\n\r\n", " GET /metrics HTTP/1.0\r\n\r\n",
        "GET metrics HTTP/1.0\r\n\r\n", "GET http://localhost/metrics HTTP/1.0\r\n\r\n",
        "GET * HTTP/1.0\r\n\r\n", "GET /metrics HTTP/2.0\r\n\r\n", "GET /metrics HTTP/1.10\r\n\r\n",
        "GET /metrics http/1.0\r\n\r\n", "G(T /metrics HTTP/1.0\r\n\r\n",
        "GET /m\xc3\xa4trics HTTP/1.0\r\n\r\n", "GET /metrics HTTP/1.0\r\nno colon\r\n\r\n",
        "GET /metrics HTTP/1.0\r\n: x\r\n\r\n", "GET /metrics HTTP/1.0\r\nHost : x\r\n\r\n",
        "GET /metrics HTTP/1.0\r\nA: b\r\n folded\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}) {
    EXPECT_EQ(StatusOf(request), HttpStatus::kBadRequest) << request;
  }
}

TEST(HttpRequestTest, ControlCharactersAreRefusedBeforeTheHeadEnds) {
  for (const absl::string_view request :
       {"\x16\x03\x01", "GET /metrics HTTP/1.0\n", "\n", "\rx", "GET / HTTP/1.0\r\r\n\r\n",
        "GET /metrics\x7f", "GET /metrics HTTP/1.0\r\nA: \x01"}) {
    EXPECT_EQ(StatusOf(request), HttpStatus::kBadRequest) << request;
  }
  EXPECT_EQ(StatusOf(absl::string_view("\0", 1)), HttpStatus::kBadRequest);
}

TEST(HttpRequestTest, AHeadThatGoesOnIsWaitedForUpTo8KiB) {
  const std::string request = Get("localhost");
  for (size_t size = 0; size < request.size(); ++size) {
    EXPECT_EQ(JudgeRequest(request.substr(0, size)), std::nullopt) << size;
  }
  const std::string start = "GET /metrics HTTP/1.0\r\nX: ";
  const std::string end = "\r\n\r\n";
  const std::string fill(kMaxRequestHead - start.size() - end.size(), 'x');
  EXPECT_EQ(StatusOf(start + fill + end), HttpStatus::kOk);
  EXPECT_EQ(JudgeRequest(start + fill + "\r\n\r"), std::nullopt);
  EXPECT_EQ(StatusOf(start + fill + "x" + end), HttpStatus::kHeadTooLarge);
  EXPECT_EQ(StatusOf(start + fill + fill), HttpStatus::kHeadTooLarge);
}

TEST(HttpRequestTest, WhatFollowsTheHeadIsIgnored) {
  EXPECT_EQ(StatusOf(Get("localhost") + "\n\x01" + Get("evil.example")), HttpStatus::kOk);
  EXPECT_EQ(StatusOf(Get("localhost") + std::string(2 * kMaxRequestHead, 'x')), HttpStatus::kOk);
}

TEST(HttpRequestTest, AnswersSayThatTheyAreTheLast) {
  EXPECT_EQ(RenderResponseHead(HttpStatus::kOk, 12),
            "HTTP/1.1 200 OK\r\n"
            "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
            "Content-Length: 12\r\n"
            "Connection: close\r\n\r\n");
  EXPECT_THAT(RenderResponseHead(HttpStatus::kNotFound, 0),
              StartsWith("HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n"));
  EXPECT_THAT(RenderExplanation(HttpStatus::kForbidden), HasSubstr("Host must be localhost"));
}

}  // namespace
}  // namespace svnet
