package server

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// The limits on requests in progress, as a whole and per client. A request, with its header and its body, counts as a
// stranger's until it has shown a valid key or session. A stranger is an unauthenticated client; strangers are told
// apart by network.
const (
	// maxStrangers is how many requests of strangers are answered at once, strangersShare how many of one network.
	// strangersWaiting is how many requests of one network may be there, including those that wait for their turn or
	// their body.
	maxStrangers, strangersShare, strangersWaiting = 64, 8, 128
	// maxKnown is how many authenticated requests are answered at once, and knownShare how many of one key or session.
	// Without authentication, knownShare is per address.
	maxKnown, knownShare = 256, 32
	// knownPatience is how long an authenticated request waits for its turn. The wait is long where Postgres allows few
	// connections.
	knownPatience = 20 * time.Second

	// strangerBody is the maximum length of a body that is read before its sender is known. strangerReading bounds the
	// time to receive it, and strangerAnswer the time to send the answer.
	strangerBody                    = 4 << 10
	strangerReading, strangerAnswer = 5 * time.Second, 30 * time.Second
	// bodiesMemory is the memory for the bodies of strangers in all, and bodiesShare that of one network. Bodies are
	// read before a request has its turn, so that a slow one takes no turn.
	bodiesMemory, bodiesShare = 4 << 20, 256 << 10
	// knownReading bounds the time to receive the body of an authenticated request.
	knownReading = time.Minute
	// longWait is how long a long body waits to be checked.
	longWait = 10 * time.Second
	// leftReading is how long the server waits for the rest of a body that no handler read.
	leftReading = 2 * time.Second

	// listMemory is the memory for lists in progress in all, listShare that of one client, and itemMemory the estimate
	// for one item. listAnswer bounds the time to send a list.
	listMemory, listShare, itemMemory = 64 << 20, 24 << 20, 12 << 10
	listAnswer                        = time.Minute
	// maxExports is how many exports are sent at once, and exportsShare how many to one client. Each holds a page of
	// bills in memory for as long as the client reads.
	maxExports, exportsShare = 16, 4

	// Readers read without a key or a session. Together they may use half of the connections to the database, and one
	// network readersShare of them, so that authenticated requests need not wait for them. Their lists and exports have
	// budgets of their own. readerStreams is how many event streams they may have, readerStreamsShare one network.
	readersShare                      = 4
	readersPatience                   = 5 * time.Second
	readerLists, readerListsShare     = 24 << 20, 6 << 20
	readerExports, readerExportsShare = 6, 2
	readerExport                      = 5 * time.Minute // the time to send one
	readerStreams, readerStreamsShare = 64, 8

	// probesPerMinute is how many probes per minute a network may send before the answers are delayed.
	// everythingPerMinute is how many requests of any kind the strangers of a network may send: RATE_LIMIT counts
	// operations only, and this limit also counts files and unknown paths.
	probesPerMinute, everythingPerMinute = 3000, 6000
	// strangersPerSecond is how many requests of all strangers are answered per second, so that they leave time for
	// authenticated requests.
	strangersPerSecond = 300
	// refusalsPerSecond is how many refusals are answered without delay. Further ones are delayed by heldBack, which
	// slows down clients that retry in a loop.
	refusalsPerSecond = 50
	heldBack          = time.Second
)

// admission limits the requests in progress. Make one with newAdmission.
type admission struct {
	control          *access.Control
	strangers, known *gate
	lists, exports   *gate
	readers          readerGates
	bodies           *gate
	checking         *semaphore.Weighted
	taken            map[string]int // the maximum length of a stranger's body, by method and route
	probes           *access.Throttle
	everything       *access.Throttle
	rush, refusals   *rate.Limiter
}

// newAdmission makes the limits of a server that has the given number of connections to the database.
func newAdmission(control *access.Control, connections int) *admission {
	return &admission{
		control:   control,
		readers:   newReaderGates(connections),
		strangers: newGate(maxStrangers, strangersShare, strangersWaiting, 2*time.Second),
		bodies:    newGate(bodiesMemory, bodiesShare, strangersWaiting, 2*time.Second),
		checking:  semaphore.NewWeighted(int64(max(1, runtime.GOMAXPROCS(0)/2))),
		taken:     map[string]int{},
		known:     newGate(maxKnown, knownShare, 16*knownShare, knownPatience),
		lists:     newGate(listMemory, listShare, 16*knownShare, 10*time.Second),
		exports:   newGate(maxExports, exportsShare, 16*knownShare, 10*time.Second),
		probes:    access.NewThrottle(probesPerMinute), everything: access.NewThrottle(everythingPerMinute),
		rush:     rate.NewLimiter(strangersPerSecond, 2*strangersPerSecond),
		refusals: rate.NewLimiter(refusalsPerSecond, 2*refusalsPerSecond),
	}
}

// readerGates limit the requests of readers.
type readerGates struct{ requests, lists, exports, streams *gate }

func newReaderGates(connections int) readerGates {
	const waiting = strangersWaiting
	all := int64(max(1, connections/2))
	return readerGates{
		requests: newGate(all, min(readersShare, max(1, all/2)), waiting, readersPatience),
		lists:    newGate(readerLists, readerListsShare, waiting, readersPatience),
		exports:  newGate(readerExports, readerExportsShare, waiting, readersPatience),
		streams:  newGate(readerStreams, readerStreamsShare, waiting, time.Second),
	}
}

// read waits for the turn of a reader. An export has a place of its own, see bounded, and so has an event stream: both
// last for as long as the reader reads, and seldom use the database.
func (a *admission) read(c echo.Context, operation string) (leave func(), err error) {
	r, t := c.Request(), turnOf(c)
	if t == nil || operation == "getExport" {
		return func() {}, nil
	}
	where := a.readers.requests
	accept := strings.Join(r.Header.Values(echo.HeaderAccept), ", ")
	stream := operation == "streamEvents" || prefersStream(accept) && (operation == "listRunEvents" ||
		operation == "getStatus")
	if stream {
		where = a.readers.streams
	}
	leave, err = where.enter(r.Context(), t.client, 1)
	if err != nil {
		return nil, busy(c.Response().Header(), err)
	}
	if !stream {
		before := t.leave
		t.leave = func() { leave(); before() }
	}
	return leave, nil
}

// turn is a request that was admitted.
type turn struct {
	client     string
	owner      string // the client that the connection belongs to once it is authenticated
	leave      func()
	connection *connection
	answer     answerLimit
	control    *http.ResponseController
	body       bool
}

const turnKey = "turn"

type turnContext struct{}

// turnOf returns the turn of a request. It is nil for requests that need none, such as probes.
func turnOf(c echo.Context) *turn {
	t, _ := c.Get(turnKey).(*turn)
	return t
}

// known marks the request as authenticated. Its connection then belongs to the client.
func (t *turn) known() {
	if t == nil {
		return
	}
	if t.owner != "" {
		t.connection.belongsTo(t.owner)
	}
	t.goesOn()
}

// goesOn lifts the time limits of a stranger's request.
func (t *turn) goesOn() {
	t.answer.unbounded()
	if t.body {
		_ = t.control.SetReadDeadline(time.Now().Add(knownReading)) // where the connection has deadlines
	}
}

// streams marks the answer as a stream, which lasts for as long as the client reads it, and gives the request's place
// to others.
func streams(ctx context.Context) {
	if t, ok := ctx.Value(turnContext{}).(*turn); ok {
		t.goesOn()
		t.leave()
	}
	giveEncoder(ctx)
}

// isProbe reports whether a request is a health or readiness probe.
func isProbe(r *http.Request) bool {
	return (r.URL.Path == "/healthz" || r.URL.Path == "/readyz") && r.Method == http.MethodGet &&
		r.URL.RawQuery == "" && r.ContentLength == 0
}

// admit waits for a request's turn, and refuses the request if none comes in time.
func (a *admission) admit(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		t := &turn{
			connection: connectionOf(r.Context()), answer: limitOfAnswer(r.Context()),
			control: http.NewResponseController(c.Response()), body: r.ContentLength != 0,
			client: access.Network(c.RealIP()),
		}
		t.connection.headerRead()
		if isProbe(r) {
			if a.control.Limited() && a.probes.Allow(t.client) != nil {
				a.holdBack(r.Context())
			}
			return next(c)
		}
		where, stranger := a.known, false
		if a.control.Required() {
			client, known := a.control.Recognizes(r)
			t.owner = client
			if stranger = !known; stranger {
				where = a.strangers
				t.answer.within(strangerAnswer)
			} else {
				t.client = client
			}
		}
		if t.body {
			c.Set(leftKey, t)
		}
		err := a.enter(c, where, t, stranger, next)
		if refused(err) && !a.refusals.Allow() {
			if r.ProtoMajor == 2 { // delayed requests of one connection would hold its headers in memory
				c.Response().Header().Set(echo.HeaderConnection, "close")
			} else {
				a.holdBack(r.Context())
			}
		}
		return err
	}
}

const leftKey = "left"

// waitForRest bounds the time that the server waits for the rest of a body that no handler read. It must run last: a
// deadline that passes while a request is in progress cancels the context of its connection, and so that of every later
// request there.
func waitForRest(c echo.Context) {
	if t, ok := c.Get(leftKey).(*turn); ok {
		_ = t.control.SetReadDeadline(time.Now().Add(leftReading))
	}
}

func (a *admission) enter(c echo.Context, where *gate, t *turn, stranger bool, next echo.HandlerFunc) (err error) {
	r := c.Request()
	if stranger && a.control.Limited() {
		if err := a.everything.Allow(t.client); err != nil {
			return err
		}
	}
	if t.body && stranger {
		_ = t.control.SetReadDeadline(time.Now().Add(strangerReading))
		done, err := a.receive(c, t)
		if err != nil {
			return err
		}
		defer done()
	}
	if t.leave, err = where.enter(r.Context(), t.client, 1); err != nil {
		return busy(c.Response().Header(), err)
	}
	defer t.leave()
	if stranger && a.control.Limited() && !a.rush.Allow() {
		return busy(c.Response().Header(), errFull)
	}
	c.Set(turnKey, t)
	c.SetRequest(r.WithContext(context.WithValue(r.Context(), turnContext{}, t)))
	return next(c)
}

// receive reads the body of a stranger, if the operation takes one from strangers. The body's memory is reserved until
// done is called.
func (a *admission) receive(c echo.Context, t *turn) (done func(), err error) {
	r := c.Request()
	limit, ok := a.taken[r.Method+" "+c.Path()]
	if !ok {
		return func() {}, nil
	}
	done, err = a.bodies.enter(r.Context(), t.client, int64(limit))
	if err != nil {
		return nil, busy(c.Response().Header(), err)
	}
	if _, err := readBody(r, limit); err != nil {
		done()
		return nil, err
	}
	_ = t.control.SetReadDeadline(time.Time{}) // the body is complete; handling it may wait for the database
	return done, nil
}

const longKey = "long"

// long checks long bodies a few at a time, once they are complete. It leaves half of the processors to short requests.
func (a *admission) long(wanted bool, limit int) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			if !wanted || r.ContentLength == 0 {
				return next(c)
			}
			body, err := readBody(r, limit)
			if err != nil {
				return err
			}
			if len(body) <= allFaults || len(body) > limit {
				return next(c)
			}
			waiting, cancel := context.WithTimeout(r.Context(), longWait)
			defer cancel()
			if a.checking.Acquire(waiting, 1) != nil {
				return busy(c.Response().Header(), errFull)
			}
			done := sync.OnceFunc(func() { a.checking.Release(1) })
			defer done()
			c.Set(longKey, done)
			return next(c)
		}
	}
}

// checked marks a body as checked, which lets the next long body be checked.
func checked(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if done, ok := c.Get(longKey).(func()); ok {
			done()
		}
		return next(c)
	}
}

// refused reports whether an error refuses a request because there were too many.
func refused(err error) bool {
	var limit *access.LimitError
	var p *problem
	return errors.As(err, &limit) ||
		errors.As(err, &p) && (p.status == http.StatusTooManyRequests || p.status == http.StatusServiceUnavailable)
}

// holdBack delays an answer. The client keeps its connection meanwhile and nothing else.
func (a *admission) holdBack(ctx context.Context) {
	timer := time.NewTimer(heldBack)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// busy makes the problem for a request that got no turn.
func busy(header http.Header, err error) error {
	switch {
	case errors.Is(err, errShare):
		header.Set(echo.HeaderRetryAfter, "1")
		return &problem{status: http.StatusTooManyRequests, kind: "too_many_requests", detail: err.Error()}
	case errors.Is(err, errFull):
		return &problem{status: http.StatusServiceUnavailable, kind: "unavailable", detail: err.Error()}
	}
	return err
}

// bounded makes requests wait that take memory per item (lists) or for as long as the client reads (exports).
func (a *admission) bounded(operation string, lists bool) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		if !lists && operation != "getExport" {
			return next
		}
		return func(c echo.Context) error {
			t := turnOf(c)
			if t == nil || !lists && isHead(c.Request().Context()) { // lists read their items for HEAD too
				return next(c)
			}
			forLists, where, weight := a.lists, a.exports, int64(1)
			if isReader(c) {
				forLists, where = a.readers.lists, a.readers.exports
			}
			if lists {
				where, weight = forLists, itemMemory*int64(limitAsked(c))
			}
			leave, err := where.enter(c.Request().Context(), t.client, weight)
			if err != nil {
				return busy(c.Response().Header(), err)
			}
			defer leave()
			before := t.leave
			t.leave = func() { leave(); before() }
			switch {
			case lists:
				t.answer.within(listAnswer)
			case isReader(c):
				t.answer.within(readerExport)
			}
			return next(c)
		}
	}
}

// limitAsked returns the number of items that a list request asks for, or the contract's maximum if the parameter is
// invalid.
func limitAsked(c echo.Context) int {
	const most = 500
	text := c.QueryParam("limit")
	if text == "" {
		return defaultLimit
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return most
	}
	return n
}
