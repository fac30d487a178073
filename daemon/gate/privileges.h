// What the parent of gates gives up.
#pragma once

#include <sys/types.h>

namespace svnet {

// Of gates that svnetd makes itself, without svnet-gates.service: below what systemd gives to
// DynamicUser=, above what adduser(8) does.
inline constexpr uid_t kGateId = 61178;

// Takes from the calling process, which must have one thread, whatever root may: files, ids and
// capabilities. As much as it can, and says on standard error what is left; without root it has
// little to do. The kernel takes it and its children first when memory runs out.
void DropPrivileges();

}  // namespace svnet
