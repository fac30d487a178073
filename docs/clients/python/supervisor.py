"""A supervisor in Python: leases a TAP for a VM, opens it as a VMM would, and removes it.

    python3 supervisor.py VM
"""

import os
import sys

from network import Network, NetworkError
from tap_device import TapDevice

SOCKET = os.environ.get("SVNET_SOCKET", "/run/svnet/svnetd.sock")


def what_to_do(reason: str | None) -> str:
    """Switches on the reason; the message is for people."""
    match reason:
        case "INVALID_ID" | "INVALID_ADDRESS" | "INVALID_REQUEST":
            return "mend the request"
        case "ADDRESS_POOL_EXHAUSTED" | "BRIDGE_FULL" | "QUOTA_EXCEEDED":
            return "remove a TAP, then ask again"
        case _:
            return "give up, and show the message"


def use(network: Network, vm: str, tap) -> None:
    print(f"tap {tap.tap_name}")
    print(f"guest {tap.guest_ip}/{tap.prefix_length} {tap.mac}")
    print(f"boot args {network.get_boot_args(tap.tap_name)}")

    with TapDevice(tap.tap_name):
        same = network.create_tap(vm, "eth0")
        attached = "attached" if same.attached else "not attached"
        print(f"asked again: {same.tap_name} {same.guest_ip}, {attached}")

    try:
        network.create_tap("no/id", "eth0")
    except NetworkError as error:
        print(f"refused: {error.reason}: {what_to_do(error.reason)}")


def run(vm: str) -> None:
    with Network(SOCKET) as network:
        tap = network.create_tap(vm, "eth0")
        try:
            use(network, vm, tap)
        finally:
            network.remove_tap(tap.tap_name)
        network.remove_tap(tap.tap_name)
        print(f"removed {tap.tap_name}")


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: supervisor.py VM", file=sys.stderr)
        return 2
    try:
        run(sys.argv[1])
    except (NetworkError, OSError) as error:
        print(f"supervisor: {error}", file=sys.stderr)
        return 1
    return 0


sys.exit(main())
