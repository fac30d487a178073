// svnetctl's commands that ask svnetd (`list`: once per page) and show the answer.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "client/cleanup.h"
#include "client/connection.h"
#include "client/failure.h"
#include "client/lease_format.h"
#include "client/list.h"
#include "client/networks.h"
#include "client/selection.h"
#include "client/wait.h"
#include "svnet/v1/network.pb.h"

namespace svnet::client {

struct CreateLeases {
  std::vector<std::string> vms;
  // All but the VM.
  v1::CreateTapRequest request;
  LeaseFormat format = LeaseFormat::kTable;
};

struct ShowLeases {
  LeaseNames which;
  LeaseFormat format = LeaseFormat::kTable;
};

struct UpdateLease {
  LeaseName which;
  // All but the lease's name.
  v1::UpdateTapRequest request;
};

struct RemoveLeases {
  LeaseNames which;
};

struct BootArgsOfLeases {
  LeaseNames which;
  // All but the lease's name.
  v1::GetBootArgsRequest request;
};

using Request =
    std::variant<CreateLeases, ShowLeases, UpdateLease, RemoveLeases, ListLeases, BootArgsOfLeases,
                 CleanupLeases, ListNetworks, v1::GetNetworkRequest, v1::GetMetricsRequest>;

// `svnetctl run`: see run.h.
struct ProgramRun {
  v1::CreateTapRequest request;
  // The program and its arguments, with placeholders. Not empty.
  std::vector<std::string> program;
};

// `svnetctl watch`, and `svnetctl list --watch`: see watch.h.
struct WatchRun {
  v1::WatchTapsRequest request;
  // Whether to connect again when svnetd has gone.
  bool reconnect = true;
  // Set: the list, anew after each event.
  std::optional<ListLeases> list;
};

// `svnetctl doctor`: see doctor/session.h.
struct DoctorRun {
  // The names of the checks to run; empty: all.
  std::vector<std::string> checks;
  bool list = false;
  // Print also what is in order.
  bool all = false;
  bool packet_test = false;
  // The one to examine; empty: all.
  std::string network;
  // An address; empty: the default route's router.
  std::string target;
};

using Command = std::variant<Request, ProgramRun, WatchRun, WaitRun, DoctorRun>;

Report RunCommand(Connection& svnetd, const Request& request, Format format);

Report Create(Connection& svnetd, const CreateLeases& create, Format format);
// TAP_NOT_FOUND if the caller has no such lease.
Report Show(Connection& svnetd, const ShowLeases& show, Format format);
Report Update(Connection& svnetd, const UpdateLease& update, Format format);
Report Remove(Connection& svnetd, const RemoveLeases& remove, Format format);
Report BootArgs(Connection& svnetd, const BootArgsOfLeases& boot_args, Format format);
Outcome Metrics(Connection& svnetd, const v1::GetMetricsRequest& request, Format format);

// All of the caller's leases, as svnetd orders them.
Result<v1::ListTapsResponse> ListAllPages(Connection& svnetd, v1::ListTapsRequest request);

}  // namespace svnet::client
