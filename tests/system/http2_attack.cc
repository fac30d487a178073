#include "tests/system/http2_attack.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/system/http2_frame.h"
#include "tests/system/raw_call.h"

namespace svnet::testing {
namespace {

constexpr int kPiece = 256;  // small frames that are sent in one piece

std::string Repeat(const std::string& bytes, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += bytes;
  return all;
}

// The same bytes each time.
std::function<std::string(uint32_t*)> Again(std::string bytes) {
  return [bytes = std::move(bytes)](uint32_t*) { return bytes; };
}

// Streams with nothing in common but what is sent on them.
template <typename OnStream>
std::function<std::string(uint32_t*)> OnStreams(int streams, OnStream on_stream) {
  return [streams, on_stream](uint32_t* stream) {
    std::string bytes;
    for (int i = 0; i < streams; ++i, *stream += 2) bytes += on_stream(*stream);
    return bytes;
  };
}

std::string OpenHeaders(const std::string& rest) {
  return HttpFrame(FrameType::kHeaders, 0, 1, CallHeaders("ListTaps") + rest);
}

std::string Continuation(const std::string& fields) {
  return HttpFrame(FrameType::kContinuation, 0, 1, fields);
}

std::string CallThatHasNoMessage(uint32_t stream) {
  return HeaderFrames(stream, CallHeaders("ListTaps"));
}

// 200 fields of 15,000 bytes.
std::string LargeMetadata() {
  std::string block = CallHeaders("ListTaps");
  for (int i = 0; i < 200; ++i) {
    block += HpackField(absl::StrCat("x-", i), std::string(15'000, 'a'));
  }
  return block;
}

Http2Attack Ping() {
  const std::string ping = HttpFrame(FrameType::kPing, 0, 0, std::string(8, 'p'));
  return {.name = "Ping", .next = Again(Repeat(ping, kPiece)), .reads = false};
}

Http2Attack Settings() {
  const std::string settings =
      HttpFrame(FrameType::kSettings, 0, 0, Setting(kInitialWindowSize, 70'000)) +
      HttpFrame(FrameType::kSettings, 0, 0, Setting(kInitialWindowSize, 60'000));
  return {.name = "Settings", .next = Again(Repeat(settings, kPiece)), .reads = false};
}

// CVE-2023-44487.
Http2Attack RstStream() {
  return {.name = "RstStream", .next = OnStreams(kPiece, [](uint32_t stream) {
                                 constexpr int kCancel = 8;
                                 return CallThatHasNoMessage(stream) +
                                        HttpFrame(FrameType::kRstStream, 0, stream,
                                                  BigEndian(kCancel, 4));
                               })};
}

Http2Attack WindowUpdate() {
  const std::string more = HttpFrame(FrameType::kWindowUpdate, 0, 0, BigEndian(1, 4)) +
                           HttpFrame(FrameType::kWindowUpdate, 0, 1, BigEndian(1, 4));
  return {.name = "WindowUpdate",
          .start = CallThatHasNoMessage(1),
          .next = Again(Repeat(more, kPiece))};
}

Http2Attack EmptyData() {
  return {.name = "EmptyData",
          .start = CallThatHasNoMessage(1),
          .next = Again(Repeat(HttpFrame(FrameType::kData, 0, 1), kPiece))};
}

Http2Attack EmptyContinuation() {
  return {.name = "Continuation",
          .start = OpenHeaders(""),
          .next = Again(Repeat(Continuation(""), kPiece))};
}

Http2Attack HalfOpenStreams() {
  return {.name = "HalfOpenStreams", .next = OnStreams(kPiece, CallThatHasNoMessage)};
}

// Each field is complete, and the block never is.
Http2Attack EndlessHeaders() {
  return {.name = "EndlessHeaders",
          .start = OpenHeaders(""),
          .next = Again(Repeat(Continuation(HpackField("x-n", std::string(3'000, 'a'))), 8))};
}

Http2Attack Metadata() {
  return {.name = "Metadata", .next = OnStreams(1, [block = LargeMetadata()](uint32_t stream) {
                                return HeaderFrames(stream, block);
                              })};
}

// Calls whose answers it may not get, and does not read.
Http2Attack ZeroWindow() {
  return {.name = "ZeroWindow",
          .start = HttpFrame(FrameType::kSettings, 0, 0, Setting(kInitialWindowSize, 0)),
          .next = OnStreams(64, [](uint32_t stream) { return RawCall("ListTaps", stream); }),
          .reads = false};
}

Http2Attack Calls() {
  return {.name = "Calls",
          .start = HttpFrame(FrameType::kWindowUpdate, 0, 0, BigEndian(1u << 30, 4)),
          .next = OnStreams(64, [](uint32_t stream) { return RawCall("ListTaps", stream); })};
}

// CVE-2023-33953: one value of 3 GB.
Http2Attack LongString() {
  return {.name = "LongString",
          .start = OpenHeaders(std::string(1, '\0') + HpackString("x-big") +
                               HpackInteger(uint64_t{3} << 30, 7)),
          .next = Again(Continuation(std::string(kMaxFrame, 'a')))};
}

// One length that never ends.
Http2Attack LongInteger() {
  return {.name = "LongInteger",
          .start = OpenHeaders(std::string("\0\x7f", 2)),
          .next = Again(Continuation(std::string(kMaxFrame, '\x80')))};
}

}  // namespace

std::vector<Http2Attack> Http2Attacks() {
  return {Ping(),       Settings(),          RstStream(),       WindowUpdate(),
          EmptyData(),  EmptyContinuation(), HalfOpenStreams(), EndlessHeaders(),
          Metadata(),   ZeroWindow(),        Calls(),           LongString(),
          LongInteger()};
}

}  // namespace svnet::testing
