"""A TAP, opened as a VMM opens it."""

import fcntl
import os
import struct

# <linux/if_tun.h>
TUNSETIFF = 0x400454CA
IFF_TAP = 0x0002
IFF_NO_PI = 0x1000
IFF_VNET_HDR = 0x4000


class TapDevice:
    """Needs no privilege if the TAP is the caller's own. OSError EBUSY means that somebody
    has it open already. One read or write of fd is one frame, after a virtio_net_hdr."""

    def __init__(self, name: str):
        self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        # struct ifreq: 16 bytes of name, 24 of union.
        request = struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)
        try:
            fcntl.ioctl(self.fd, TUNSETIFF, request)
        except OSError:
            os.close(self.fd)
            raise

    def __enter__(self) -> "TapDevice":
        return self

    def __exit__(self, *exception) -> None:
        os.close(self.fd)
