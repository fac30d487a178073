// svnetctl's commands. Most ask svnetd once (`list`: once per page) and show the answer.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "client/connection.h"
#include "client/failure.h"
#include "client/lease_format.h"
#include "svnet/v1/network.pb.h"

namespace svnet::client {

struct CreateLease {
  v1::CreateTapRequest request;
  LeaseFormat format = LeaseFormat::kTable;
};

struct ShowLease {
  v1::GetTapRequest which;
  LeaseFormat format = LeaseFormat::kTable;
};

// Commands that ask once.
using Request = std::variant<CreateLease, ShowLease, v1::UpdateTapRequest, v1::RemoveTapRequest,
                             v1::ListTapsRequest, v1::GetBootArgsRequest, v1::CleanupRequest,
                             v1::GetNetworkRequest, v1::GetMetricsRequest>;

// `svnetctl run`: see run.h.
struct ProgramRun {
  v1::CreateTapRequest request;
  // The program and its arguments, with placeholders. Not empty.
  std::vector<std::string> program;
};

// `svnetctl doctor`: see doctor/session.h.
struct DoctorRun {
  // The names of the checks to run; empty: all.
  std::vector<std::string> checks;
  bool list = false;
  bool packet_test = false;
  // An address; empty: the default route's router.
  std::string target;
};

using Command = std::variant<Request, ProgramRun, v1::WatchTapsRequest, DoctorRun>;

Outcome RunCommand(Connection& svnetd, const Request& request, Format format);

Outcome Create(Connection& svnetd, const CreateLease& create, Format format);
// TAP_NOT_FOUND if the caller has no such lease.
Outcome Show(Connection& svnetd, const ShowLease& show, Format format);
Outcome Update(Connection& svnetd, const v1::UpdateTapRequest& request, Format format);
Outcome Remove(Connection& svnetd, const v1::RemoveTapRequest& request, Format format);
// Shows all pages as one.
Outcome List(Connection& svnetd, const v1::ListTapsRequest& request, Format format);
Outcome BootArgs(Connection& svnetd, const v1::GetBootArgsRequest& request, Format format);
Outcome Cleanup(Connection& svnetd, const v1::CleanupRequest& request, Format format);
Outcome Status(Connection& svnetd, const v1::GetNetworkRequest& request, Format format);
Outcome Metrics(Connection& svnetd, const v1::GetMetricsRequest& request, Format format);

// All of the caller's leases.
Result<v1::ListTapsResponse> ListAllPages(Connection& svnetd, v1::ListTapsRequest request);

}  // namespace svnet::client
