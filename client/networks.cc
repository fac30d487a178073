#include "client/networks.h"

#include <variant>

#include "client/network_output.h"

namespace svnet::client {
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

}  // namespace svnet::client
