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

// Guard keeps messages from being sent to loopback, link-local, private and other special addresses, in whatever form
// an address is written, whatever a name resolves to at the moment of dialling, and it looks at the very
// address that is about to be connected to. Redirects are not followed.
type Guard struct{ guardian *ssrf.Guardian }

// NewGuard makes a guard that lets through public addresses, and the networks given.
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

// ErrRefused says that the address is not one that messages may be sent to.
var ErrRefused = errors.New("refused: the address is not public, and the configuration does not allow it (ALERT_ALLOW)")

// control is called with the address of every connection before it is made.
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

// client follows no redirect: a receiver that moved is told to whoever runs this, and what is sent goes where the
// configuration says. It uses no proxy, which would dial in its stead.
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
