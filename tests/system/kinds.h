// Tests of both kinds of networks.
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "daemon/base/network_kind.h"

namespace svnet::testing {

inline const std::vector<NetworkKind> kBothKinds = {NetworkKind::kBridge, NetworkKind::kRouted};
inline const std::vector<NetworkKind> kBridgeOnly = {NetworkKind::kBridge};
inline const std::vector<NetworkKind> kRoutedOnly = {NetworkKind::kRouted};

inline std::string KindName(NetworkKind kind) {
  return kind == NetworkKind::kRouted ? "routed" : "bridge";
}
inline std::string KindFlag(NetworkKind kind) { return "--kind=" + KindName(kind); }

// A suite that runs on each kind, for
// INSTANTIATE_TEST_SUITE_P(Kinds, ..., ::testing::ValuesIn(kBothKinds), NameOfKind).
// Base is SystemTest, or derived from it.
template <typename Base>
class OnEachKind : public Base, public ::testing::WithParamInterface<NetworkKind> {
 protected:
  NetworkKind network_kind() const override { return GetParam(); }
};

inline std::string NameOfKind(const ::testing::TestParamInfo<NetworkKind>& info) {
  return KindName(info.param);
}

// A row of a table, on one of the kinds that its `kinds` has.
template <typename Row>
struct RowOnKind {
  Row row;
  NetworkKind kind;

  std::string Name() const { return row.name + "_" + KindName(kind); }
  friend std::ostream& operator<<(std::ostream& out, const RowOnKind& each) {
    return out << each.Name();
  }
};

template <typename Row>
std::vector<RowOnKind<Row>> OnTheirKinds(const std::vector<Row>& rows) {
  std::vector<RowOnKind<Row>> all;
  for (const Row& row : rows) {
    for (const NetworkKind kind : row.kinds) all.push_back({row, kind});
  }
  return all;
}

}  // namespace svnet::testing
