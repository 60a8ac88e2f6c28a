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
	// writeTimeout is how long an authenticated client may take to accept a part of an answer, and strangerTimeout how
	// long any other client may. writePart is the length of a part.
	writeTimeout, strangerTimeout = 20 * time.Second, 10 * time.Second
	writePart                     = 32 << 10

	// maxHeaderLines is the maximum number of lines of a header. maxHeading is the maximum number of bytes of all
	// incomplete headers together; a connection may hold headingShare of them in any case. A line of three bytes takes
	// two hundred once it is parsed.
	maxHeaderLines = 500
	maxHeading     = 8 << 20
	headingShare   = 4 << 10

	// closesPerSecond is how many connections are closed per second to make room for one of a network that already has
	// as many as any other. Otherwise clients that reconnect at once would keep the server busy; beyond this rate their
	// new connections are closed instead. A network with fewer connections always gets room.
	closesPerSecond = 300

	// manyConnections is the number of connections from which memory is returned to the system once nearly all of them
	// are gone. The runtime alone would return it after minutes.
	manyConnections = 200

	// maxOfClient is how many connections of one authenticated client are protected from being closed.
	maxOfClient = 128
)

// connections limits the open connections of a server. A new one is always accepted; if there are too many, the oldest
// stranger's connection of the network that has the most is closed. So a flood of connections displaces its own, and
// authenticated clients keep theirs. A stranger is a client that has not shown a valid key or session on the
// connection.
type connections struct {
	most    int // in all
	unknown int // of strangers

	closes  *rate.Limiter
	heading atomic.Int64 // bytes of incomplete headers

	mu        sync.Mutex
	open      int
	highest   int // the maximum of open since memory was last returned
	strangers int
	networks  map[string]*list.List // strangers' connections by network, the oldest first
	clients   map[string]int        // number of connections of each authenticated client
}

func newConnections(most, unknown int) *connections {
	return &connections{
		most: most, unknown: unknown, closes: rate.NewLimiter(closesPerSecond, closesPerSecond),
		networks: map[string]*list.List{}, clients: map[string]int{},
	}
}

// guarded is a listener whose connections are limited.
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
		_ = c.Close() // there is no room
	}
}

// add registers a connection, for which another one may be closed. It returns nil if there is no room. It never blocks,
// because new connections wait behind it.
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

// crowded returns the oldest stranger's connection of the network that has the most. The caller holds l.mu.
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

// crowds reports whether one more connection would give a network as many as the one that has the most. Other networks
// need not wait for its flood. The caller holds l.mu.
func (l *connections) crowds(network, most string) bool {
	mine := 0
	if of := l.networks[network]; of != nil {
		mine = of.Len()
	}
	return mine+1 >= l.networks[most].Len()
}

// freeMemory returns the memory of a flood to the system. Pools release theirs at the second collection.
func freeMemory() {
	debug.FreeOSMemory()
	debug.FreeOSMemory()
}

// forget removes a connection. The caller holds l.mu.
func (l *connections) forget(c *connection) {
	if c.gone {
		return
	}
	c.gone = true
	l.open--
	if l.highest >= manyConnections && l.open <= l.highest/10 {
		l.highest = l.open
		// Soon, and again when delayed answers have ended too.
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

// leave removes a connection from the strangers'. The caller holds l.mu.
func (l *connections) leave(c *connection) {
	l.strangers--
	of := l.networks[c.network]
	if of.Remove(c.place); of.Len() == 0 {
		delete(l.networks, c.network)
	}
}

// connection is a connection of a server. Its methods beyond those of net.Conn accept a nil receiver, for tests that
// call handlers directly.
type connection struct {
	net.Conn
	of      *connections
	network string

	http2 atomic.Bool // the client speaks HTTP/2
	// For the goroutine that reads:
	sniffed bool // whether it does is known
	matched int  // bytes of http2Preface so far
	frames  frames

	reading     atomic.Bool  // a header is being read
	held, lines atomic.Int64 // bytes and lines of it so far
	closed      atomic.Bool
	known       atomic.Bool
	until       atomic.Int64 // deadline of the answer in Unix nanoseconds; 0: none

	// Guarded by connections.mu:
	gone   bool
	client string        // the authenticated client; empty for a stranger
	place  *list.Element // in connections.networks while client is empty
}

type connectionKey struct{}

func connectionOf(ctx context.Context) *connection {
	c, _ := ctx.Value(connectionKey{}).(*connection)
	return c
}

func withConnection(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, c)
}

// stateChanged is the ConnState hook of net/http: an idle connection reads a header next.
func stateChanged(c net.Conn, state http.ConnState) {
	if mine, ok := c.(*connection); ok && state == http.StateIdle && !mine.http2.Load() {
		mine.headerRead() // for a request that net/http answered on its own
		mine.reading.Store(true)
	}
}

var errHeaderTooLong = errors.New("the header has too many lines, or too much of too many headers is waited for")

// Read implements net.Conn.
func (c *connection) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	rest := c.sniff(p[:n])
	if c.http2.Load() {
		if !c.readFrames(rest) {
			_ = c.Close()
			return 0, errHeaderTooLong
		}
		return n, err
	}
	if n > 0 && c.reading.Load() {
		held, all := c.held.Add(int64(n)), c.of.heading.Add(int64(n))
		lines := c.lines.Add(int64(bytes.Count(p[:n], []byte("\n"))))
		if lines > maxHeaderLines || all > maxHeading && held > headingShare {
			_ = c.Close()
			return 0, errHeaderTooLong
		}
		if c.closed.Load() { // closed while it was reading
			c.of.heading.Add(-c.held.Swap(0))
		}
	}
	return n, err
}

// readFrames counts the bytes of incomplete header blocks as Read does those of headers. It reports whether the
// connection may go on.
func (c *connection) readFrames(b []byte) bool {
	added, ended := c.frames.read(b)
	if ended {
		c.of.heading.Add(-c.held.Swap(0))
	}
	if added == 0 {
		return true
	}
	weight := int64(added) * headerFactor
	held, all := c.held.Add(weight), c.of.heading.Add(weight)
	if all > maxHeading && held > headingShare {
		return false
	}
	if c.closed.Load() { // closed while it was reading
		c.of.heading.Add(-c.held.Swap(0))
	}
	return true
}

// sniff looks for http2Preface at the start of a connection. It returns b, without the end of the preface.
func (c *connection) sniff(b []byte) []byte {
	if c.sniffed || len(b) == 0 {
		return b
	}
	n := min(len(b), len(http2Preface)-c.matched)
	if string(b[:n]) != http2Preface[c.matched:c.matched+n] {
		c.sniffed = true
		return b
	}
	if c.matched += n; c.matched < len(http2Preface) {
		return b
	}
	c.sniffed = true
	c.headerRead()
	c.http2.Store(true)
	return b[n:]
}

// headerRead marks the header as complete.
func (c *connection) headerRead() {
	if c == nil || c.http2.Load() {
		return
	}
	c.reading.Store(false)
	c.until.Store(0)
	c.lines.Store(0)
	c.of.heading.Add(-c.held.Swap(0))
}

// belongsTo assigns the connection to an authenticated client. It is then protected, unless the client has maxOfClient
// already.
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

// Write implements net.Conn. Each part has a deadline of its own, so that an answer lasts for as long as the client
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

// CloseWrite lets net/http deliver an answer to a client whose request it did not read to its end.
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
