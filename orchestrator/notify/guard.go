package notify

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// Guard keeps messages from being sent to loopback, link-local, private and other special addresses. It checks the
// address of each connection right before it is made, after names were resolved, so that neither the form of an address
// nor a changed name gets around it. Redirects are not followed.
type Guard struct{ guardian *ssrf.Guardian }

// NewGuard makes a guard that allows public addresses and the given networks.
func NewGuard(allow ...netip.Prefix) *Guard {
	var v4, v6 []netip.Prefix
	for _, p := range allow {
		if p.Addr().Is4() {
			v4 = append(v4, p)
		} else {
			v6 = append(v6, p)
		}
	}
	return &Guard{ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...))}
}

// ErrRefused means that messages may not be sent to an address.
var ErrRefused = errors.New("refused: the address is not public, and the configuration does not allow it (ALERT_ALLOW)")

// control checks the address of a connection before it is made.
func (g *Guard) control(network, address string, c syscall.RawConn) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return ErrRefused
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return ErrRefused
	}
	addr = addr.Unmap().WithZone("") // ::ffff:127.0.0.1 is 127.0.0.1
	if addr.Is4() {
		network = "tcp4"
	}
	if err := g.guardian.Safe(network, net.JoinHostPort(addr.String(), port), c); err != nil {
		return ErrRefused
	}
	return nil
}

func (g *Guard) dialer() *net.Dialer {
	return &net.Dialer{Timeout: 5 * time.Second, Control: g.control}
}

// client returns an HTTP client that follows no redirect: messages go only where the configuration says. It uses no
// proxy, which would connect in its place, unchecked.
func (g *Guard) client() *http.Client {
	return &http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			DialContext: g.dialer().DialContext, TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: 10 * time.Second,
			MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10, DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
