"""A TAP that svnetd opens: for VMMs in a jail, a container, or another network namespace."""

import os
import socket

from google.rpc import error_details_pb2
from svnet.v1 import network_pb2

SCM_MAX_FD = 253  # descriptors in one packet


class OpenTapError(Exception):
    """Why svnetd refused; reason is the name of an ErrorReason."""

    def __init__(self, status):
        super().__init__(status.message)
        self.reason = None
        for detail in status.details:
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info) and info.domain == "svnet":
                self.reason = info.reason


def open_tap(path: str, tap_name: str, timeout: float = 5.0) -> list[int]:
    """One descriptor for each queue of the caller's own TAP. path is that of tap.sock."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as svnetd:
        svnetd.settimeout(timeout)
        svnetd.connect(path)
        svnetd.send(network_pb2.OpenTapRequest(tap_name=tap_name).SerializeToString())
        queues: list[int] = []
        while True:
            packet, descriptors, _, _ = socket.recv_fds(svnetd, 4096, SCM_MAX_FD)
            queues += descriptors
            if not packet:
                raise ConnectionError("svnetd closed the connection")
            response = network_pb2.OpenTapResponse.FromString(packet)
            if response.status.code != 0:
                raise OpenTapError(response.status)
            if len(queues) == response.queues:
                return queues


class OpenedTap:
    """As TapDevice, of one queue."""

    def __init__(self, path: str, tap_name: str):
        [self.fd] = open_tap(path, tap_name)

    def __enter__(self) -> "OpenedTap":
        return self

    def __exit__(self, *exception) -> None:
        os.close(self.fd)
