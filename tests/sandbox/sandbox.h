// Places for tests that touch the kernel: never the host's own.
//
// Everything here ends the test program, and says what is missing, if it cannot be
// done: a test that cannot run has not passed.
#pragma once

#include <string>
#include <vector>

namespace svnet::testing {

// Moves the calling thread, and what it starts from now on, to a network namespace of
// its own: empty, with lo up. The one before goes when nothing uses it any more.
void EnterFreshNetworkNamespace();

// Where every uid can reach the checkout and what was built, after
// EnterPrivateMounts. The environment variable SVNET_UNDER_TEST names another build's
// folder: a sanitizer's, say.
#define SVNET_SOURCE "/mnt/source"
#define SVNET_BINARY "/mnt/build"

// Gives this process and its children a /dev/net of their own, with a tun that every
// uid may open, as udev has it, a /run/netns for `ip netns`, and the folders above.
// Call it before there are threads.
void EnterPrivateMounts();

// Runs `command` in bash, in the caller's namespaces; what it prints on standard
// output and error. A command that fails ends the test program.
std::string Shell(const std::string& command);

// The exit code of `command` in bash; its output is thrown away.
int ShellExitCode(const std::string& command);

// The name of the tables of svnetd's rules for svbr0; that of an older kernel's if there are
// none.
std::string RulesTable();

// All that svnetd can change in the network namespace, as `ip` and `nft` show it:
// links with their indexes, addresses, routes, ruleset.
std::string NetworkPicture();

}  // namespace svnet::testing
