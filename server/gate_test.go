package server

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"
)

func TestGate(t *testing.T) {
	t.Parallel()
	g := newGate(3, 2, 4, time.Millisecond)
	ctx := t.Context()
	enter := func(client string, weight int64) func() {
		t.Helper()
		leave, err := g.enter(ctx, client, weight)
		if err != nil {
			t.Fatal(err)
		}
		return leave
	}
	a := enter("a", 5) // more than its share is all of it
	if _, err := g.enter(ctx, "a", 1); !errors.Is(err, errShare) {
		t.Errorf("beyond the share: %v", err)
	}
	b := enter("b", 1)
	if _, err := g.enter(ctx, "b", 1); !errors.Is(err, errFull) {
		t.Errorf("beyond all: %v", err)
	}
	a()
	a() // once
	enter("b", 1)()
	b()
	if len(g.clients) != 0 {
		t.Errorf("%d clients are remembered", len(g.clients))
	}
	// Who waits has the turn of who leaves.
	g = newGate(1, 1, 2, time.Minute)
	first := enter("c", 1)
	waited := make(chan error, 1)
	go func() {
		_, err := g.enter(context.WithoutCancel(ctx), "c", 1)
		waited <- err
	}()
	first()
	if err := <-waited; err != nil {
		t.Error(err)
	}
}

// deadlines is a connection that notes until when it may be written to.
type deadlines struct {
	net.Conn
	set    []time.Time
	parts  []int
	closed bool
}

func (d *deadlines) SetWriteDeadline(at time.Time) error { d.set = append(d.set, at); return nil }
func (d *deadlines) Write(p []byte) (int, error) {
	d.parts = append(d.parts, len(p))
	return len(p), nil
}
func (d *deadlines) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }
func (d *deadlines) Close() error         { d.closed = true; return nil }

// TestWritesHaveDeadlines looks at the time limits of the parts of an answer.
func TestWritesHaveDeadlines(t *testing.T) {
	t.Parallel()
	all := newConnections(10, 5)
	to := &deadlines{}
	c := all.add(to)
	if n, err := c.Write(make([]byte, 3*writePart+1)); n != 3*writePart+1 || err != nil {
		t.Fatal(n, err)
	}
	if len(to.parts) != 4 || len(to.set) != 4 {
		t.Errorf("parts %v with %d deadlines", to.parts, len(to.set))
	}
	within := func(d time.Duration) {
		t.Helper()
		if left := time.Until(to.set[len(to.set)-1]); left > d || left < d-5*time.Second {
			t.Errorf("a deadline in %s, want %s", left, d)
		}
	}
	within(strangerTimeout)
	c.belongsTo("somebody")
	_, _ = c.Write([]byte("x"))
	within(writeTimeout)
	answerLimit{&c.until}.within(6 * time.Second)
	_, _ = c.Write([]byte("x"))
	within(6 * time.Second)
	c.headerRead()
	_, _ = c.Write([]byte("x"))
	within(writeTimeout)
	// A connection of somebody known stays while strangers push each other out.
	var others []*deadlines
	for range 20 {
		others = append(others, &deadlines{})
		all.add(others[len(others)-1])
	}
	closed := 0
	for _, o := range others {
		if o.closed {
			closed++
		}
	}
	if to.closed || closed != 15 || all.open != 6 || all.strangers != 5 {
		t.Errorf(
			"closed %d of 20 strangers, %d open, %d of them strangers; the known one: %t", closed, all.open,
			all.strangers, to.closed,
		)
	}
	_ = c.Close()
	if len(all.clients) != 0 || all.open != 5 {
		t.Errorf("%d clients and %d connections are remembered", len(all.clients), all.open)
	}
}
