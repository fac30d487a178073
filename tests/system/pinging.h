// Guests that ping while a test does something else.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/eventually.h"
#include "tests/system/tap_guest.h"

namespace svnet::testing {

// One after the other, over and over, each with one packet that must be answered.
class Pinging {
 public:
  // `guests` must outlive it, and are not used by others meanwhile.
  Pinging(const std::vector<TapGuest>& guests, Ipv4Address to)
      : guests_(guests), thread_([this, to] {
          while (!stop_) {
            for (const TapGuest& guest : guests_) {
              ++sent_;
              if (!guest.Pings(to, absl::Seconds(2))) ++lost_;
            }
          }
        }) {}
  ~Pinging() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  Pinging(const Pinging&) = delete;
  Pinging& operator=(const Pinging&) = delete;

  // Until each has begun a ping, and has its answer.
  void WaitForAll() {
    const int seen = sent_;
    const int all = static_cast<int>(guests_.size());
    EXPECT_TRUE(Eventually([&] { return sent_ > seen + all; }));
  }

  // The end: no answer was ever missing.
  void ExpectNoneIsLost() {
    stop_ = true;
    thread_.join();
    EXPECT_EQ(lost_, 0) << "of " << sent_;
  }

 private:
  const std::vector<TapGuest>& guests_;
  std::atomic<bool> stop_ = false;
  std::atomic<int> sent_ = 0;
  std::atomic<int> lost_ = 0;
  std::thread thread_;
};

}  // namespace svnet::testing
