package main

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

// <linux/if_tun.h>, which package syscall has only in part.
const iffVnetHdr = 0x4000

// OpenTap opens a TAP as a VMM opens it: one read or write is one frame, after a
// virtio_net_hdr. It needs no privilege if the TAP is the caller's own. EBUSY means that
// somebody has it open already.
func OpenTap(name string) (*os.File, error) {
	file, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	var request struct { // struct ifreq
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}
	copy(request.name[:syscall.IFNAMSIZ-1], name)
	request.flags = syscall.IFF_TAP | syscall.IFF_NO_PI | iffVnetHdr
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), syscall.TUNSETIFF,
		uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		file.Close()
		return nil, fmt.Errorf("%s: %w", name, errno)
	}
	return file, nil
}
