package server

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// What requests may take together, of whom. A request in progress, its header and its body among it, is a stranger's
// until it has shown a key that there is.
const (
	// maxStrangers is how many requests of strangers are answered at once, strangersShare how many of one network, and
	// strangersWaiting how many of it may be there, those that wait for their turn or their body among them.
	maxStrangers, strangersShare, strangersWaiting = 64, 8, 128
	// maxKnown is how many requests of those who are known are answered at once, and knownShare how many of one key or
	// session; without authentication, of one address.
	maxKnown, knownShare = 256, 32
	// knownPatience is how long one of them waits for its turn. Where Postgres allows few connections that takes a
	// while.
	knownPatience = 20 * time.Second

	// strangerBody is how long a body may be where it is read before it is known who sent it, and strangerReading how
	// long it may take to come, strangerAnswer how long the answer may take to go.
	strangerBody                    = 4 << 10
	strangerReading, strangerAnswer = 5 * time.Second, 30 * time.Second
	// bodiesMemory is what bodies of strangers may take together, and bodiesShare those of one network. They are read
	// before it is a request's turn, so that a slow one takes nobody's.
	bodiesMemory, bodiesShare = 4 << 20, 256 << 10
	// knownReading is how long the body of somebody known may take to come.
	knownReading = time.Minute
	// longWait is how long a long body waits to be looked at.
	longWait = 10 * time.Second
	// leftReading is how long the rest of a body is waited for that nobody read.
	leftReading = 2 * time.Second

	// listMemory is what lists in progress may take together, listShare those of one client, and itemMemory what an
	// item is taken to need. listAnswer is how long a list may take to go.
	listMemory, listShare, itemMemory = 64 << 20, 24 << 20, 12 << 10
	listAnswer                        = time.Minute
	// maxExports is how many exports are sent at once, and exportsShare how many to one client: each has a page of
	// bills in memory, for as long as the client reads.
	maxExports, exportsShare = 16, 4

	// probesPerMinute is how often a network may probe before its answers are held back, and everythingPerMinute how
	// often strangers in it may ask for anything: RATE_LIMIT counts operations, these are also files and what is not
	// there.
	probesPerMinute, everythingPerMinute = 3000, 6000
	// strangersPerSecond is how many requests of all strangers together are answered in a second, so that they leave
	// time for those who are known.
	strangersPerSecond = 300
	// refusalsPerSecond is how many refusals are answered at once; later ones are held back for heldBack, so that who
	// asks again and again does so once in that time.
	refusalsPerSecond = 50
	heldBack          = time.Second
)

// admission lets requests in. Make one with newAdmission.
type admission struct {
	control          *access.Control
	strangers, known *gate
	lists, exports   *gate
	bodies           *gate
	checking         *semaphore.Weighted
	taken            map[string]int // the longest body of what strangers may send one to, by method and route
	probes           *access.Throttle
	everything       *access.Throttle
	rush, refusals   *rate.Limiter
}

func newAdmission(control *access.Control) *admission {
	return &admission{
		control:   control,
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

// turn is a request that was let in.
type turn struct {
	client     string
	owner      string // whose the connection is once it is known who asks
	leave      func()
	connection *connection
	control    *http.ResponseController
	body       bool
}

const turnKey = "turn"

type turnContext struct{}

// turnOf is nil for what needs none, such as probes.
func turnOf(c echo.Context) *turn {
	t, _ := c.Get(turnKey).(*turn)
	return t
}

// known says that it has turned out who asks: what they sent counts.
func (t *turn) known() {
	if t == nil {
		return
	}
	if t.owner != "" {
		t.connection.belongsTo(t.owner)
	}
	t.goesOn()
}

// goesOn says that the request may take longer than a stranger's.
func (t *turn) goesOn() {
	if t.connection != nil {
		t.connection.until.Store(0)
	}
	if t.body {
		_ = t.control.SetReadDeadline(time.Now().Add(knownReading)) // where the connection has deadlines
	}
}

// streams says that the answer is a stream, which goes on for as long as it is read and takes the place of no other
// request.
func streams(ctx context.Context) {
	if t, ok := ctx.Value(turnContext{}).(*turn); ok {
		t.goesOn()
		t.leave()
	}
	giveEncoder(ctx)
}

// isProbe says whether a request is one of those that tell whether the server works, and nothing else.
func isProbe(r *http.Request) bool {
	return (r.URL.Path == "/healthz" || r.URL.Path == "/readyz") && r.Method == http.MethodGet &&
		r.URL.RawQuery == "" && r.ContentLength == 0
}

// admit waits for a request's turn, and refuses it if none comes.
func (a *admission) admit(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		t := &turn{
			connection: connectionOf(r.Context()), control: http.NewResponseController(c.Response()),
			body:   r.ContentLength != 0,
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
				t.connection.answerWithin(strangerAnswer)
			} else {
				t.client = client
			}
		}
		if t.body {
			c.Set(leftKey, t)
		}
		err := a.enter(c, where, t, stranger, next)
		if refused(err) && !a.refusals.Allow() {
			a.holdBack(r.Context())
		}
		return err
	}
}

const leftKey = "left"

// waitForRest bounds how long the rest of a body is waited for that nobody read. It is called when all else is done: a
// deadline that passes while a request is in progress ends the context of its connection, and with it that of every
// later request there.
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

// receive reads the body of a stranger, if it is sent to what takes one of strangers. The body is held until done.
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
	_ = t.control.SetReadDeadline(time.Time{}) // it has come, and what is done with it may wait for the database
	return done, nil
}

const longKey = "long"

// long has long bodies looked at a few at a time, once they have come: they leave half of the processors to requests
// that take no time.
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

// checked says that a body has been looked at: what it asks for is done beside others.
func checked(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if done, ok := c.Get(longKey).(func()); ok {
			done()
		}
		return next(c)
	}
}

// refused says whether an error is of a request that came too much.
func refused(err error) bool {
	var limit *access.LimitError
	var p *problem
	return errors.As(err, &limit) ||
		errors.As(err, &p) && (p.status == http.StatusTooManyRequests || p.status == http.StatusServiceUnavailable)
}

// holdBack waits for a while, in which the client has the connection and nothing else.
func (a *admission) holdBack(ctx context.Context) {
	timer := time.NewTimer(heldBack)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// busy makes the problem of a turn that did not come.
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

// bounded has what takes memory for each item, or for as long as it is read, wait for room.
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
			where, weight := a.exports, int64(1)
			if lists {
				where, weight = a.lists, itemMemory*int64(limitAsked(c))
			}
			leave, err := where.enter(c.Request().Context(), t.client, weight)
			if err != nil {
				return busy(c.Response().Header(), err)
			}
			defer leave()
			before := t.leave
			t.leave = func() { leave(); before() }
			if lists {
				t.connection.answerWithin(listAnswer)
			}
			return next(c)
		}
	}
}

// limitAsked is how many items a list is asked for; the contract's most where that cannot be told.
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
