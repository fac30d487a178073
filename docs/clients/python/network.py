"""What a supervisor needs of svnetd.

The stubs are generated: protoc -I proto --python_out=OUT --grpc_out=OUT
--plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin, and all of proto/'s files.
"""

import sys
import time

import grpc
from google.rpc import error_details_pb2, status_pb2
from svnet.v1 import network_pb2, network_pb2_grpc

CALL_TIMEOUT = 5.0  # seconds, like all below
PATIENCE = 10.0
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 1.0

CHANNEL_OPTIONS = [
    # By default gRPC lets 1 s and more pass before it tries to connect again.
    ("grpc.initial_reconnect_backoff_ms", int(FIRST_PAUSE * 1000)),
    ("grpc.max_reconnect_backoff_ms", int(LONGEST_PAUSE * 1000)),
    # A path is no authority (RFC 3986), and some versions of gRPC take it for one.
    ("grpc.default_authority", "localhost"),
]


class NetworkError(Exception):
    """Why svnetd refused, or did not answer.

    code is a grpc.StatusCode. reason is the name of an ErrorReason, to switch on; None if
    it was not svnetd who refused (no svnetd, a deadline). The text is for people.
    """

    def __init__(self, error: grpc.RpcError):
        super().__init__(error.details())
        self.code = error.code()
        self.reason = reason_of(error)


def reason_of(error: grpc.RpcError) -> str | None:
    trailers = dict(error.trailing_metadata() or ())
    details = status_pb2.Status.FromString(trailers.get("grpc-status-details-bin", b""))
    for detail in details.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info) and info.domain == "svnet":
            return info.reason
    return None


class Network:
    """One connection to svnetd, which gRPC makes again when it breaks. Thread-safe.

    Every call may be repeated, so each is, for 10 s at most, while svnetd is not there: it
    may be restarting. All raise NetworkError.
    """

    def __init__(self, socket: str):
        self._channel = grpc.insecure_channel(f"unix:{socket}", CHANNEL_OPTIONS)
        self._stub = network_pb2_grpc.NetworkServiceStub(self._channel)

    def __enter__(self) -> "Network":
        return self

    def __exit__(self, *exception) -> None:
        self._channel.close()

    def create_tap(
        self, vm: str, iface: str, view: network_pb2.GuestView | None = None
    ) -> network_pb2.Tap:
        """The lease of (caller, vm, iface): the one that stands, or a new one.

        view is what a guest believes that is restored from a snapshot (docs/clones.md).
        """
        request = network_pb2.CreateTapRequest(vm_id=vm, iface_id=iface, guest_view=view)
        return self._call(self._stub.CreateTap, request).tap

    def get_boot_args(self, tap_name: str) -> str:
        """For the guest's kernel command line."""
        request = network_pb2.GetBootArgsRequest(tap_name=tap_name)
        return self._call(self._stub.GetBootArgs, request).boot_args

    def remove_tap(self, tap_name: str) -> None:
        """Fine if it is already gone."""
        self._call(self._stub.RemoveTap, network_pb2.RemoveTapRequest(tap_name=tap_name))

    def _call(self, method, request):
        give_up = time.monotonic() + PATIENCE
        pause = FIRST_PAUSE
        while True:
            try:
                return method(request, timeout=CALL_TIMEOUT)
            except grpc.RpcError as error:
                late = time.monotonic() + pause > give_up
                if error.code() != grpc.StatusCode.UNAVAILABLE or late:
                    raise NetworkError(error) from None
                print(f"no svnetd yet: {error.details()}", file=sys.stderr, flush=True)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
