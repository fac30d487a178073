#include <gtest/gtest.h>

#include "tests/sandbox/sandbox.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  // To list the tests needs no namespaces (and happens during the build).
  if (!GTEST_FLAG_GET(list_tests)) svnet::testing::EnterPrivateMounts();
  return RUN_ALL_TESTS();
}
