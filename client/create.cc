#include "client/create.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace svnet::client {
namespace {

using Stub = Connection::Stub;
using Results = std::vector<Result<v1::CreateTapResponse>>;

// So many by one call: their message is small enough for every svnetd that knows CreateTaps.
constexpr size_t kAtOnce = 100;

Result<v1::CreateTapResponse> ResultOf(const Connection& svnetd, v1::CreateTapsResult& result) {
  if (result.has_error()) {
    const auto& error = result.error();
    return svnetd.Explain(
        {static_cast<grpc::StatusCode>(error.code()), error.message(), error.SerializeAsString()});
  }
  v1::CreateTapResponse response;
  response.set_created(result.created());
  response.mutable_tap()->Swap(result.mutable_tap());
  return response;
}

bool IsGone(const Results& results) {
  const auto* failure = results.empty() ? nullptr : std::get_if<Failure>(&results.back());
  return failure != nullptr && failure->exit_code == ExitCode::kNoDaemon;
}

// One call for each.
void CreateEach(Connection& svnetd, const std::vector<v1::CreateTapRequest>& requests,
                Results* results) {
  for (const v1::CreateTapRequest& request : requests) {
    if (IsGone(*results)) return;
    results->push_back(svnetd.Call(&Stub::CreateTap, request));
  }
}

// False: this svnetd does not know the call.
bool CreateTogether(Connection& svnetd, const std::vector<v1::CreateTapRequest>& requests,
                    Results* results) {
  v1::CreateTapsRequest together;
  together.mutable_requests()->Assign(requests.begin(), requests.end());
  auto answer = svnetd.Call(&Stub::CreateTaps, together);
  if (const auto* failure = std::get_if<Failure>(&answer)) {
    if (failure->code == "UNIMPLEMENTED") return false;
    results->push_back(*failure);
    return true;
  }
  for (v1::CreateTapsResult& result : *std::get<v1::CreateTapsResponse>(answer).mutable_results()) {
    results->push_back(ResultOf(svnetd, result));
  }
  return true;
}

}  // namespace

std::vector<Result<v1::CreateTapResponse>> CreateAll(
    Connection& svnetd, const std::vector<v1::CreateTapRequest>& requests) {
  Results results;
  for (size_t begin = 0; begin < requests.size() && !IsGone(results); begin += kAtOnce) {
    const size_t end = std::min(begin + kAtOnce, requests.size());
    const std::vector<v1::CreateTapRequest> part(requests.begin() + begin, requests.begin() + end);
    if (part.size() == 1 || !CreateTogether(svnetd, part, &results)) {
      CreateEach(svnetd, part, &results);
    }
  }
  return results;
}

}  // namespace svnet::client
