"""A supervisor in Python: leases a TAP for a VM, opens it as a VMM would, and removes it.

    python3 supervisor.py VM [--by-svnetd] [--restored]

With --by-svnetd it is svnetd who opens the TAP, and passes it on. With --restored the VM is one of
many that are restored from a snapshot.
"""

import argparse
import os
import sys

from network import Network, NetworkError
from open_tap import OpenedTap, OpenTapError
from svnet.v1 import network_pb2
from tap_device import TapDevice

SOCKET = os.environ.get("SVNET_SOCKET", "/run/svnet/svnetd.sock")
TAP_SOCKET = os.path.join(os.path.dirname(SOCKET), "tap.sock")

# What the guest had when the snapshot was taken.
SNAPSHOT = network_pb2.GuestView(
    address="10.0.0.2", prefix_length=24, gateway="10.0.0.1", mac="06:00:ac:10:00:02"
)


def what_to_do(reason: str | None) -> str:
    """Switches on the reason; the message is for people."""
    match reason:
        case "INVALID_ID" | "INVALID_ADDRESS" | "INVALID_REQUEST":
            return "mend the request"
        case "ADDRESS_POOL_EXHAUSTED" | "BRIDGE_FULL" | "QUOTA_EXCEEDED":
            return "remove a TAP, then ask again"
        case _:
            return "give up, and show the message"


def open_device(tap_name: str, by_svnetd: bool) -> OpenedTap | TapDevice:
    return OpenedTap(TAP_SOCKET, tap_name) if by_svnetd else TapDevice(tap_name)


def use(network: Network, vm: str, tap, by_svnetd: bool) -> None:
    print(f"tap {tap.tap_name}")
    print(f"guest {tap.guest_ip}/{tap.prefix_length} {tap.mac}")
    if tap.HasField("guest_view"):
        view = tap.guest_view
        print(f"believes {view.address}/{view.prefix_length} {view.mac}")
    else:
        print(f"boot args {network.get_boot_args(tap.tap_name)}")

    with open_device(tap.tap_name, by_svnetd):
        same = network.create_tap(vm, "eth0")
        attached = "attached" if same.attached else "not attached"
        print(f"asked again: {same.tap_name} {same.guest_ip}, {attached}")

    try:
        network.create_tap("no/id", "eth0")
    except NetworkError as error:
        print(f"refused: {error.reason}: {what_to_do(error.reason)}")


def run(vm: str, by_svnetd: bool, view: network_pb2.GuestView | None) -> None:
    with Network(SOCKET) as network:
        tap = network.create_tap(vm, "eth0", view)
        try:
            use(network, vm, tap, by_svnetd)
        finally:
            network.remove_tap(tap.tap_name)
        network.remove_tap(tap.tap_name)
        print(f"removed {tap.tap_name}")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("vm")
    parser.add_argument("--by-svnetd", action="store_true")
    parser.add_argument("--restored", action="store_true")
    options = parser.parse_args()
    try:
        run(options.vm, options.by_svnetd, SNAPSHOT if options.restored else None)
    except (NetworkError, OpenTapError, OSError) as error:
        print(f"supervisor: {error}", file=sys.stderr)
        return 1
    return 0


sys.exit(main())
