#include "client/networks.h"

#include <variant>

#include "client/json.h"
#include "client/network_output.h"

namespace svnet::client {
namespace {

// Empty, if svnetd is an earlier one, which has only one network.
Result<v1::ListNetworksResponse> ListAll(Connection& svnetd) {
  auto answer = svnetd.Call(&Connection::Stub::ListNetworks, v1::ListNetworksRequest());
  const auto* failure = std::get_if<Failure>(&answer);
  if (failure != nullptr && failure->code == "UNIMPLEMENTED") return v1::ListNetworksResponse();
  return answer;
}

}  // namespace
Outcome Networks(Connection& svnetd, const ListNetworks& list) {
  const auto answer = svnetd.Call(&Connection::Stub::ListNetworks, v1::ListNetworksRequest());
  if (const auto* failure = std::get_if<Failure>(&answer)) return *failure;
  const auto& networks = std::get<v1::ListNetworksResponse>(answer);
  switch (list.format) {
    case ListFormat::kTable:
      return RenderNetworks(networks);
    case ListFormat::kWide:
      return RenderNetworksWide(networks);
    case ListFormat::kName:
      return RenderNetworkNames(networks);
    case ListFormat::kJson:
    case ListFormat::kYaml:
      break;
  }
  return RenderObject(networks, list.format);
}

Outcome Status(Connection& svnetd, const v1::GetNetworkRequest& request, Format format) {
  const auto answer = svnetd.Call(&Connection::Stub::GetNetwork, request);
  if (const auto* failure = std::get_if<Failure>(&answer)) return *failure;
  const auto& network = std::get<v1::GetNetworkResponse>(answer);
  if (format == Format::kJson) return ShowJson(network);
  const auto all = ListAll(svnetd);
  if (const auto* failure = std::get_if<Failure>(&all)) return *failure;
  return RenderNetwork(network, std::get<v1::ListNetworksResponse>(all));
}

}  // namespace svnet::client
