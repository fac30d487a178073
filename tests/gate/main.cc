#include <gtest/gtest.h>

#include "tests/gate/launcher.h"
#include "tests/sandbox/sandbox.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (!GTEST_FLAG_GET(list_tests)) {
    svnet::testing::EnterPrivateMounts();
    svnet::testing::StartLauncher();
  }
  return RUN_ALL_TESTS();
}
