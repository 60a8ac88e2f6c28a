package server

import (
	"bytes"
	"container/list"
	"context"
	"errors"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/parliament-explorer/parliament-explorer/server/access"
)

const (
	// writeTimeout is how long a client that is known may take to accept a part of an answer, and strangerTimeout one
	// that is not; writePart is how long a part is.
	writeTimeout, strangerTimeout = 20 * time.Second, 10 * time.Second
	writePart                     = 32 << 10

	// maxHeaderLines is how many lines a header may have, and maxHeading how many bytes of headers that are not whole
	// yet there may be in all; a connection may have headingShare of them in any case. A line of three bytes takes two
	// hundred once it is read.
	maxHeaderLines = 500
	maxHeading     = 8 << 20
	headingShare   = 4 << 10

	// closesPerSecond is how many connections are closed in a second to make room for one of a network that has as many
	// as any. Otherwise clients that come back as soon as they are closed would keep the server busy with nothing else:
	// more of them are closed themselves. A network that has fewer always gets room.
	closesPerSecond = 300

	// manyConnections are so many that memory is given back to the system once nearly all of them are gone. By itself
	// it would go back after minutes.
	manyConnections = 200

	// maxOfClient is how many connections of one client are kept whatever strangers do.
	maxOfClient = 128
)

// connections bounds the connections of a server. A new one is always accepted: if there are too many, one of those
// that nobody is known to be behind is closed, the oldest of the network that has the most. So a flood of connections
// pushes out its own, and whoever has shown a key keeps his.
type connections struct {
	most    int // in all
	unknown int // of those that nobody is known to be behind

	closes  *rate.Limiter
	heading atomic.Int64 // bytes of headers that are not whole yet

	mu        sync.Mutex
	open      int
	highest   int // open has been since memory was last given back
	strangers int
	networks  map[string]*list.List // the strangers by network, the oldest first
	clients   map[string]int        // connections of each client that is known
}

func newConnections(most, unknown int) *connections {
	return &connections{
		most: most, unknown: unknown, closes: rate.NewLimiter(closesPerSecond, closesPerSecond),
		networks: map[string]*list.List{}, clients: map[string]int{},
	}
}

// guarded is a listener whose connections are bounded.
type guarded struct {
	net.Listener
	all *connections
}

// Accept implements net.Listener.
func (g guarded) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if mine := g.all.add(c); mine != nil {
			return mine, nil
		}
		_ = c.Close() // there is no room for it
	}
}

// add takes a connection in, for which another one may be closed; nil if none may. It never waits: behind it are the
// connections of all others.
func (l *connections) add(c net.Conn) *connection {
	host, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		host = c.RemoteAddr().String()
	}
	mine := &connection{Conn: c, of: l, network: access.Network(host)}
	mine.reading.Store(true)
	l.mu.Lock()
	var out *connection
	if l.open >= l.most || l.strangers >= l.unknown {
		if out = l.crowded(); out == nil || l.crowds(mine.network, out.network) && !l.closes.Allow() {
			l.mu.Unlock()
			return nil
		}
		l.forget(out)
	}
	l.open++
	l.highest = max(l.highest, l.open)
	l.strangers++
	if l.networks[mine.network] == nil {
		l.networks[mine.network] = list.New()
	}
	mine.place = l.networks[mine.network].PushBack(mine)
	l.mu.Unlock()
	if out != nil {
		_ = out.Close()
	}
	return mine
}

// crowded is the oldest of the strangers' connections of the network that has the most.
func (l *connections) crowded() *connection {
	var most *list.List
	for _, of := range l.networks {
		if most == nil || of.Len() > most.Len() {
			most = of
		}
	}
	if most == nil {
		return nil
	}
	c, _ := most.Front().Value.(*connection)
	return c
}

// crowds says whether one more connection of a network makes it as crowded as the one that has the most; l.mu is held.
// Others need not wait for its flood.
func (l *connections) crowds(network, most string) bool {
	mine := 0
	if of := l.networks[network]; of != nil {
		mine = of.Len()
	}
	return mine+1 >= l.networks[most].Len()
}

// freeMemory gives back what a flood took. Pools keep what they hold for one more collection.
func freeMemory() {
	debug.FreeOSMemory()
	debug.FreeOSMemory()
}

// forget takes a connection off the books; l.mu is held.
func (l *connections) forget(c *connection) {
	if c.gone {
		return
	}
	c.gone = true
	l.open--
	if l.highest >= manyConnections && l.open <= l.highest/10 {
		l.highest = l.open
		// At once, and when what was held back has ended too.
		time.AfterFunc(time.Second, freeMemory)
		time.AfterFunc(30*time.Second, freeMemory)
	}
	if c.client != "" {
		if l.clients[c.client]--; l.clients[c.client] == 0 {
			delete(l.clients, c.client)
		}
		return
	}
	l.leave(c)
}

// leave takes a connection out of the strangers'; l.mu is held.
func (l *connections) leave(c *connection) {
	l.strangers--
	of := l.networks[c.network]
	if of.Remove(c.place); of.Len() == 0 {
		delete(l.networks, c.network)
	}
}

// connection is one of a server's. Its methods beyond net.Conn's do nothing where there is none, as in tests of
// handlers.
type connection struct {
	net.Conn
	of      *connections
	network string

	reading     atomic.Bool  // a header
	held, lines atomic.Int64 // what has been read of it
	closed      atomic.Bool
	known       atomic.Bool
	until       atomic.Int64 // when the answer must be written, in Unix nanoseconds; 0: as long as it goes on

	// Of connections.mu:
	gone   bool
	client string        // whose it is; empty: nobody's that is known
	place  *list.Element // among the strangers, while client is empty
}

type connectionKey struct{}

func connectionOf(ctx context.Context) *connection {
	c, _ := ctx.Value(connectionKey{}).(*connection)
	return c
}

func withConnection(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, c)
}

// stateChanged is told by net/http: an idle connection reads a header next.
func stateChanged(c net.Conn, state http.ConnState) {
	if mine, ok := c.(*connection); ok && state == http.StateIdle {
		mine.headerRead() // of what net/http answered by itself
		mine.reading.Store(true)
	}
}

var errHeaderTooLong = errors.New("the header has too many lines, or too much of too many headers is waited for")

// Read implements net.Conn.
func (c *connection) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && c.reading.Load() {
		held, all := c.held.Add(int64(n)), c.of.heading.Add(int64(n))
		lines := c.lines.Add(int64(bytes.Count(p[:n], []byte("\n"))))
		if lines > maxHeaderLines || all > maxHeading && held > headingShare {
			_ = c.Close()
			return 0, errHeaderTooLong
		}
		if c.closed.Load() { // meanwhile
			c.of.heading.Add(-c.held.Swap(0))
		}
	}
	return n, err
}

// headerRead says that a header is whole.
func (c *connection) headerRead() {
	if c == nil {
		return
	}
	c.reading.Store(false)
	c.until.Store(0)
	c.lines.Store(0)
	c.of.heading.Add(-c.held.Swap(0))
}

// answerWithin has the connection closed if the answer is not written by then.
func (c *connection) answerWithin(d time.Duration) {
	if c != nil {
		c.until.Store(time.Now().Add(d).UnixNano())
	}
}

// belongsTo says who is known to be behind the connection. It is then kept, unless he has many.
func (c *connection) belongsTo(client string) {
	if c == nil || c.known.Load() {
		return
	}
	l := c.of
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.gone || l.clients[client] >= maxOfClient {
		return
	}
	c.known.Store(true)
	l.leave(c)
	c.client, c.place = client, nil
	l.clients[client]++
}

// Write implements net.Conn. Each part has a time limit of its own, so that an answer goes on for as long as somebody
// reads it.
func (c *connection) Write(b []byte) (written int, err error) {
	for {
		part := b[:min(len(b), writePart)]
		limit := strangerTimeout
		if c.known.Load() {
			limit = writeTimeout
		}
		deadline := time.Now().Add(limit)
		if until := c.until.Load(); until != 0 && until < deadline.UnixNano() {
			deadline = time.Unix(0, until)
		}
		if err := c.SetWriteDeadline(deadline); err != nil {
			return written, err
		}
		n, err := c.Conn.Write(part)
		if written += n; err != nil {
			return written, err
		}
		if b = b[n:]; len(b) == 0 {
			return written, nil
		}
	}
}

// CloseWrite is for net/http, which lets a client read the answer to a request that it did not read itself.
func (c *connection) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Close implements net.Conn.
func (c *connection) Close() error {
	c.closed.Store(true)
	c.of.mu.Lock()
	c.of.forget(c)
	c.of.mu.Unlock()
	c.of.heading.Add(-c.held.Swap(0))
	return c.Conn.Close()
}
