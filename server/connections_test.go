package server

import (
	"net"
	"testing"

	"golang.org/x/time/rate"
)

// from is a connection from an address.
type from struct {
	net.Conn
	address string
	closed  bool
}

func (f *from) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(f.address), Port: 1} }
func (f *from) Close() error         { f.closed = true; return nil }

// queue is a listener for connections that wait.
type queue struct {
	net.Listener
	waiting []net.Conn
}

func (q *queue) Accept() (net.Conn, error) {
	if len(q.waiting) == 0 {
		return nil, net.ErrClosed
	}
	c := q.waiting[0]
	q.waiting = q.waiting[1:]
	return c, nil
}

// TestAFloodDoesNotHoldUpOthers opens connections from one address faster than they are closed to make room. Those of
// others are accepted at once: they used to wait behind it.
func TestAFloodDoesNotHoldUpOthers(t *testing.T) {
	t.Parallel()
	all := newConnections(10, 5)
	all.closes = rate.NewLimiter(0, 3)
	var flood, others []*from
	q := &queue{}
	send := func(address string, to *[]*from) {
		c := &from{address: address}
		*to = append(*to, c)
		q.waiting = append(q.waiting, c)
	}
	for range 20 {
		send("192.0.2.1", &flood)
	}
	for _, address := range []string{"192.0.2.2", "2001:db8::1"} {
		send(address, &others)
	}
	for range 20 {
		send("192.0.2.1", &flood)
	}
	taken := 0
	for g := (guarded{q, all}); ; taken++ {
		if _, err := g.Accept(); err != nil {
			break
		}
	}
	closed := 0
	for _, c := range flood {
		if c.closed {
			closed++
		}
	}
	if taken != 5+3+2 || closed != 40-3 || all.open != 5 {
		t.Errorf("%d were taken in, %d of 40 of the flood closed, %d are open", taken, closed, all.open)
	}
	for _, c := range others {
		if c.closed {
			t.Errorf("the one of %s is closed", c.address)
		}
	}
	// With as many networks as connections nobody is told apart, and they do not come faster either.
	for i := range 20 {
		all.add(&from{address: net.IPv4(198, 51, 100, byte(i)).String()})
	}
	if n := len(all.networks); n > 5 || all.open != 5 {
		t.Errorf("%d networks, %d open", n, all.open)
	}
}
