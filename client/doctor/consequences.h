// Which findings are consequences of others.
#pragma once

#include "client/doctor/doctor.h"

namespace svnet::client {

// One cause is one finding: what follows from another finding of the same diagnosis becomes "not
// checked", what svnetd reports of it, too, is left out, and what is the same of several networks
// is said once. Pure.
Diagnosis WithoutConsequences(Diagnosis diagnosis);

}  // namespace svnet::client
