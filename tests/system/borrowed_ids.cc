#include "tests/system/borrowed_ids.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace svnet::testing {

BorrowedIds::BorrowedIds(const RunAs& who) {
  EXPECT_EQ(syscall(SYS_setgroups, who.groups.size(), who.groups.data()), 0);
  EXPECT_EQ(syscall(SYS_setresgid, -1, who.gid, -1), 0);
  EXPECT_EQ(syscall(SYS_setresuid, -1, who.uid, -1), 0);
}

BorrowedIds::~BorrowedIds() {
  EXPECT_EQ(syscall(SYS_setresuid, -1, 0, -1), 0);
  EXPECT_EQ(syscall(SYS_setresgid, -1, 0, -1), 0);
  EXPECT_EQ(syscall(SYS_setgroups, 0, nullptr), 0);
}

}  // namespace svnet::testing
