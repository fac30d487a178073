// What a command says of the leases that it was given, one or several.
#pragma once

#include <google/protobuf/message.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "client/failure.h"
#include "client/selection.h"
#include "svnet/v1/network.pb.h"

namespace svnet::client {

// A lease that failed hides no other. With kJson, one lease is what svnetd answered, or
// {"error": {...}}; several are {"taps": [...]}, and "errors" if there are any.
class Batch {
 public:
  // `count`: of leases that the command was given.
  Batch(size_t count, Format format) : several_(count > 1), format_(format) {}

  bool several() const { return several_; }
  // svnetd is gone: there is no use in asking for the rest.
  bool broken() const { return exit_code_ == ExitCode::kNoDaemon; }

  void AddTap(const LeaseName& name, const v1::Tap& tap);
  // An answer that does not say of which lease it is.
  void AddAnswer(const LeaseName& name, const google::protobuf::Message& answer);
  void AddFailure(const LeaseName& name, Failure failure);

  // `text`: what people read of those that succeeded.
  Report Finish(const std::string& text) const;

 private:
  void Add(const LeaseName& name, const google::protobuf::Message& answer,
           const std::string& first_members);
  std::string RenderJson() const;
  std::string RenderErrors() const;

  bool several_;
  Format format_;
  ExitCode exit_code_ = ExitCode::kDone;
  std::vector<std::string> json_;
  std::vector<std::pair<LeaseName, Failure>> failures_;
};

}  // namespace svnet::client
