// Another's ids for the calling thread.
#pragma once

#include "tests/system/daemon.h"

namespace svnet::testing {

// Takes them, and with them no capability, until the object goes. Of this thread only:
// glibc's own wrappers change all threads.
class BorrowedIds {
 public:
  explicit BorrowedIds(const RunAs& who);
  ~BorrowedIds();
  BorrowedIds(const BorrowedIds&) = delete;
  BorrowedIds& operator=(const BorrowedIds&) = delete;
};

}  // namespace svnet::testing
