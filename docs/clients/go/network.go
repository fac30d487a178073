package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	svnetv1 "svnet/v1"
)

const (
	callTimeout  = 5 * time.Second
	patience     = 10 * time.Second
	firstPause   = 100 * time.Millisecond
	longestPause = time.Second
)

// Network is one connection to svnetd, which gRPC makes again when it breaks.
//
// Every call may be repeated, so each is, for 10 s at most, while svnetd is not there: it
// may be restarting. Errors are gRPC's; ReasonOf says what to do about them.
type Network struct {
	connection *grpc.ClientConn
	service    svnetv1.NetworkServiceClient
}

// Connect does not wait: the first call does.
func Connect(socket string) (*Network, error) {
	dial := func(ctx context.Context, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	// By default gRPC lets 1 s and more pass before it tries to connect again.
	reconnect := grpc.ConnectParams{Backoff: backoff.Config{
		BaseDelay: firstPause, Multiplier: 2, Jitter: 0.2, MaxDelay: longestPause}}
	connection, err := grpc.Dial("passthrough:///svnetd", grpc.WithInsecure(),
		grpc.WithContextDialer(dial), grpc.WithConnectParams(reconnect),
		// A path is no authority (RFC 3986).
		grpc.WithAuthority("localhost"))
	if err != nil {
		return nil, err
	}
	return &Network{connection, svnetv1.NewNetworkServiceClient(connection)}, nil
}

// Close leaves the TAPs as they are.
func (n *Network) Close() { n.connection.Close() }

// CreateTap returns the lease of (caller, vm, iface): the one that stands, or a new one.
// view is what a guest believes that is restored from a snapshot (docs/clones.md); nil for others.
func (n *Network) CreateTap(vm, iface string, view *svnetv1.GuestView) (*svnetv1.Tap, error) {
	var response *svnetv1.CreateTapResponse
	err := repeat(func(ctx context.Context) (err error) {
		request := &svnetv1.CreateTapRequest{VmId: vm, IfaceId: iface, GuestView: view}
		response, err = n.service.CreateTap(ctx, request)
		return err
	})
	return response.GetTap(), err
}

// GetBootArgs returns the text for the guest's kernel command line.
func (n *Network) GetBootArgs(tapName string) (string, error) {
	var response *svnetv1.GetBootArgsResponse
	err := repeat(func(ctx context.Context) (err error) {
		response, err = n.service.GetBootArgs(ctx, &svnetv1.GetBootArgsRequest{TapName: tapName})
		return err
	})
	return response.GetBootArgs(), err
}

// RemoveTap is fine if it is already gone.
func (n *Network) RemoveTap(tapName string) error {
	return repeat(func(ctx context.Context) error {
		_, err := n.service.RemoveTap(ctx, &svnetv1.RemoveTapRequest{TapName: tapName})
		return err
	})
}

func repeat(call func(context.Context) error) error {
	giveUp := time.Now().Add(patience)
	for pause := firstPause; ; pause *= 2 {
		if pause > longestPause {
			pause = longestPause
		}
		ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
		err := call(ctx)
		cancel()
		if status.Code(err) != codes.Unavailable || time.Now().Add(pause).After(giveUp) {
			return err
		}
		fmt.Fprintf(os.Stderr, "no svnetd yet: %v\n", err)
		time.Sleep(pause)
	}
}

// ReasonOf says why svnetd refused. ERROR_REASON_UNSPECIFIED if it was not svnetd who did
// (no svnetd, a deadline), or for a reason that is newer than this program.
func ReasonOf(err error) svnetv1.ErrorReason {
	for _, detail := range status.Convert(err).Details() {
		info, ok := detail.(*errdetails.ErrorInfo)
		if ok && info.GetDomain() == "svnet" {
			return svnetv1.ErrorReason(svnetv1.ErrorReason_value[info.GetReason()])
		}
	}
	return svnetv1.ErrorReason_ERROR_REASON_UNSPECIFIED
}
