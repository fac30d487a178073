// A supervisor in Go: leases a TAP for a VM, opens it as a VMM would, and removes it.
//
//	supervisor VM [--restored]
//
// With --restored the VM is one of many that are restored from a snapshot.
package main

import (
	"fmt"
	"os"

	svnetv1 "svnet/v1"
)

func socketPath() string {
	if path := os.Getenv("SVNET_SOCKET"); path != "" {
		return path
	}
	return "/run/svnet/svnetd.sock"
}

// snapshot is what the guest had when it was taken.
func snapshot() *svnetv1.GuestView {
	return &svnetv1.GuestView{
		Address: "10.0.0.2", PrefixLength: 24, Gateway: "10.0.0.1", Mac: "06:00:ac:10:00:02"}
}

// whatToDo switches on the reason; the message is for people.
func whatToDo(reason svnetv1.ErrorReason) string {
	switch reason {
	case svnetv1.ErrorReason_INVALID_ID,
		svnetv1.ErrorReason_INVALID_ADDRESS,
		svnetv1.ErrorReason_INVALID_REQUEST:
		return "mend the request"
	case svnetv1.ErrorReason_ADDRESS_POOL_EXHAUSTED,
		svnetv1.ErrorReason_BRIDGE_FULL,
		svnetv1.ErrorReason_QUOTA_EXCEEDED:
		return "remove a TAP, then ask again"
	default:
		return "give up, and show the message"
	}
}

func attachedOrNot(tap *svnetv1.Tap) string {
	if tap.GetAttached() {
		return "attached"
	}
	return "not attached"
}

func use(network *Network, vm string, tap *svnetv1.Tap) error {
	fmt.Printf("tap %s\nguest %s/%d %s\n", tap.GetTapName(), tap.GetGuestIp(), tap.GetPrefixLength(),
		tap.GetMac())
	if view := tap.GetGuestView(); view != nil {
		fmt.Printf("believes %s/%d %s\n", view.GetAddress(), view.GetPrefixLength(), view.GetMac())
	} else {
		bootArgs, err := network.GetBootArgs(tap.GetTapName())
		if err != nil {
			return err
		}
		fmt.Printf("boot args %s\n", bootArgs)
	}

	device, err := OpenTap(tap.GetTapName())
	if err != nil {
		return err
	}
	defer device.Close()
	same, err := network.CreateTap(vm, "eth0", nil)
	if err != nil {
		return err
	}
	fmt.Printf("asked again: %s %s, %s\n", same.GetTapName(), same.GetGuestIp(), attachedOrNot(same))

	_, err = network.CreateTap("no/id", "eth0", nil)
	reason := ReasonOf(err)
	fmt.Printf("refused: %s: %s\n", reason, whatToDo(reason))
	return nil
}

func run(vm string, view *svnetv1.GuestView) error {
	network, err := Connect(socketPath())
	if err != nil {
		return err
	}
	defer network.Close()
	tap, err := network.CreateTap(vm, "eth0", view)
	if err != nil {
		return err
	}
	// Whatever happens from here on.
	defer network.RemoveTap(tap.GetTapName())
	if err := use(network, vm, tap); err != nil {
		return err
	}
	if err := network.RemoveTap(tap.GetTapName()); err != nil {
		return err
	}
	fmt.Printf("removed %s\n", tap.GetTapName())
	return nil
}

func main() {
	var view *svnetv1.GuestView
	if len(os.Args) == 3 && os.Args[2] == "--restored" {
		view = snapshot()
	} else if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: supervisor VM [--restored]")
		os.Exit(2)
	}
	if err := run(os.Args[1], view); err != nil {
		fmt.Fprintf(os.Stderr, "supervisor: %v\n", err)
		os.Exit(1)
	}
}
