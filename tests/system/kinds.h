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

// The guests of a test: on a kind of network, and there as they are, or all restored from one
// snapshot.
struct Guests {
  NetworkKind kind;
  bool clones = false;

  bool AreRouted() const { return kind == NetworkKind::kRouted; }
  std::string Name() const { return clones ? "clone" : KindName(kind); }
  friend std::ostream& operator<<(std::ostream& out, const Guests& each) {
    return out << each.Name();
  }
};

inline const std::vector<Guests> kAllGuests = {
    {NetworkKind::kBridge}, {NetworkKind::kRouted}, {NetworkKind::kRouted, /*clones=*/true}};

// A suite that runs on each kind, for
// INSTANTIATE_TEST_SUITE_P(Kinds, ..., ::testing::ValuesIn(kBothKinds), NameOfKind).
// Base is SystemTest, or derived from it.
template <typename Base>
class OnEachKind : public Base, public ::testing::WithParamInterface<NetworkKind> {
 protected:
  Guests guests() const override { return {GetParam()}; }
};

inline std::string NameOfKind(const ::testing::TestParamInfo<NetworkKind>& info) {
  return KindName(info.param);
}

// A suite that runs with all kinds of guests, for
// INSTANTIATE_TEST_SUITE_P(Guests, ..., ::testing::ValuesIn(kAllGuests), NameOfGuests).
template <typename Base>
class WithAllGuests : public Base, public ::testing::WithParamInterface<Guests> {
 protected:
  Guests guests() const override { return GetParam(); }
};

inline std::string NameOfGuests(const ::testing::TestParamInfo<Guests>& info) {
  return info.param.Name();
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
