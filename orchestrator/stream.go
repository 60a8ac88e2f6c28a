package orchestrator

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/db"
)

// notifyChannel carries the ids of runs that have new events, comma-separated.
const notifyChannel = "explorer_runs"

// Cursor is a place in the events of all runs; in those of one run, ID alone counts.
type Cursor struct {
	Xid uint64
	ID  int64
}

// String is the cursor as text, which ParseCursor reads.
func (c Cursor) String() string { return fmt.Sprintf("%d-%d", c.Xid, c.ID) }

// ParseCursor reads a cursor.
func ParseCursor(s string) (c Cursor, err error) {
	xid, id, _ := strings.Cut(s, "-")
	if c.Xid, err = strconv.ParseUint(xid, 10, 63); err == nil {
		c.ID, err = strconv.ParseInt(id, 10, 64)
	}
	if err != nil {
		return Cursor{}, fmt.Errorf("%q is not a place in the event log", s)
	}
	return c, nil
}

func (c Cursor) before(o Cursor) bool { return c.Xid < o.Xid || (c.Xid == o.Xid && c.ID < o.ID) }

// Cursor is the event's place in the stream of all runs.
func (e Event) Cursor() Cursor { return Cursor{Xid: e.xid, ID: e.ID} }

// hub tells streams of new events. Each process that has had a stream has one LISTEN connection, and one reader for
// every run that somebody follows (or for all runs together), however many follow it.
type hub struct {
	engine *Engine

	mu     sync.Mutex
	topics map[uuid.UUID]*topic // uuid.Nil: all runs
	closed bool
	done   chan struct{}
	wanted chan struct{} // closed with the first stream
	want   sync.Once

	pendingMu sync.Mutex
	pending   map[uuid.UUID]bool // runs to notify other processes of
	notify    chan struct{}
}

// topic is what one reader reads and who gets it.
type topic struct {
	hub  *hub
	key  uuid.UUID
	tail Cursor // what is not after it has been handed out
	subs map[*subscription]bool
	kick chan struct{}
	stop chan struct{}
}

// subscription is one client's share. Its channel is closed when the client falls behind or the engine stops.
type subscription struct {
	topic   *topic
	batches chan []Event
}

func newHub(e *Engine) *hub {
	return &hub{engine: e, topics: map[uuid.UUID]*topic{}, pending: map[uuid.UUID]bool{}, notify: make(chan struct{}, 1), done: make(chan struct{}), wanted: make(chan struct{})}
}

// wake says that a run has new events: to the streams of this process at once, to other processes in a moment.
// Notifications are gathered because each one takes a lock that all of Postgres shares.
func (e *Engine) wake(runID uuid.UUID) {
	h := e.hub
	h.kick(runID)
	h.pendingMu.Lock()
	h.pending[runID] = true
	h.pendingMu.Unlock()
	select {
	case h.notify <- struct{}{}:
	default:
	}
}

func (h *hub) kick(runID uuid.UUID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, key := range []uuid.UUID{runID, uuid.Nil} {
		if t := h.topics[key]; t != nil {
			select {
			case t.kick <- struct{}{}:
			default:
			}
		}
	}
}

func (h *hub) kickAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range h.topics {
		select {
		case t.kick <- struct{}{}:
		default:
		}
	}
}

// run sends and receives notifications until ctx ends.
func (h *hub) run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { h.send(ctx) })
	select {
	case <-h.wanted: // a worker that nobody asks for streams keeps no connection for them
	case <-ctx.Done():
	}
	wait := 100 * time.Millisecond
	for ctx.Err() == nil {
		err := h.listen(ctx, func() { wait = 100 * time.Millisecond })
		if ctx.Err() != nil {
			break
		}
		h.engine.log.Warn("the connection that listens for events was lost; streams are slower until it is back", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, 5*time.Second)
	}
	wg.Wait()
}

func (h *hub) send(ctx context.Context) {
	const gather, perPayload = 15 * time.Millisecond, 200 // a payload holds 8000 bytes
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.notify:
		}
		select {
		case <-ctx.Done():
		case <-time.After(gather):
		}
		h.pendingMu.Lock()
		ids := make([]string, 0, len(h.pending))
		for id := range h.pending {
			ids = append(ids, id.String())
		}
		clear(h.pending)
		h.pendingMu.Unlock()
		var payloads []string
		for len(ids) > 0 {
			n := min(len(ids), perPayload)
			payloads = append(payloads, strings.Join(ids[:n], ","))
			ids = ids[n:]
		}
		// Who misses a notification finds the events a second later by itself.
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbyeFor)
		_ = h.engine.relaxed.NotifyRuns(last, payloads)
		cancel()
	}
}

func (h *hub) listen(ctx context.Context, connected func()) error {
	conn, err := h.engine.db.Connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing was written
	if _, err := conn.Exec(ctx, "LISTEN "+notifyChannel); err != nil {
		return err
	}
	connected()
	h.kickAll() // what happened while nobody listened
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		for s := range strings.SplitSeq(n.Payload, ",") {
			if id, err := uuid.Parse(s); err == nil {
				h.kick(id)
			}
		}
	}
}

// Stopping is closed when the engine stops: streams of whatever kind end with it.
func (e *Engine) Stopping() <-chan struct{} { return e.hub.done }

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	h.closed = true
	close(h.done)
	for _, t := range h.topics {
		for s := range t.subs {
			close(s.batches)
		}
		clear(t.subs)
		close(t.stop)
	}
	clear(h.topics)
}

// subscribe joins a topic, making it if this is its first subscriber. Every event after the topic's tail will come.
func (h *hub) subscribe(ctx context.Context, key uuid.UUID) (*subscription, Cursor, error) {
	// The tail of a new topic is found before the lock is taken; if another made the topic meanwhile, its tail counts.
	end, err := h.end(ctx, key)
	if err != nil {
		return nil, Cursor{}, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, Cursor{}, context.Canceled
	}
	t := h.topics[key]
	h.want.Do(func() { close(h.wanted) })
	if t == nil {
		t = &topic{hub: h, key: key, tail: end, subs: map[*subscription]bool{}, kick: make(chan struct{}, 1), stop: make(chan struct{})}
		h.topics[key] = t
		h.engine.wg.Go(t.run)
	}
	s := &subscription{topic: t, batches: make(chan []Event, 64)}
	t.subs[s] = true
	return s, t.tail, nil
}

func (h *hub) unsubscribe(s *subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := s.topic
	if !t.subs[s] {
		return
	}
	delete(t.subs, s)
	if len(t.subs) == 0 && h.topics[t.key] == t {
		delete(h.topics, t.key)
		close(t.stop)
	}
}

// end is a place that everything yet to become visible comes after.
func (h *hub) end(ctx context.Context, key uuid.UUID) (Cursor, error) {
	if key == uuid.Nil {
		xid, err := h.engine.q.EventHorizon(ctx)
		return Cursor{Xid: xid, ID: -1}, err
	}
	rows, err := h.engine.q.ListRunEventsNewestFirst(ctx, db.ListRunEventsNewestFirstParams{RunID: key, Since: sinceOf(key), MaxRows: 1})
	if err != nil || len(rows) == 0 {
		return Cursor{}, err
	}
	return Cursor{ID: rows[0].ID}, nil
}

const pageOfEvents = 500

// read gives the next events of a topic.
func (h *hub) read(ctx context.Context, key uuid.UUID, after Cursor) ([]Event, error) {
	if key == uuid.Nil {
		rows, err := h.engine.q.ListEventsAfter(ctx, db.ListEventsAfterParams{AfterXid: after.Xid, AfterID: after.ID, MaxRows: pageOfEvents})
		return each(rows, eventOf), err
	}
	return h.engine.RunEvents(ctx, key, after.ID, pageOfEvents)
}

func place(key uuid.UUID, e Event) Cursor {
	if key == uuid.Nil {
		return e.Cursor()
	}
	return Cursor{ID: e.ID}
}

func (t *topic) run() {
	// Looking again without being told finds what a lost notification announced and, in the stream of all runs, what
	// an older open transaction held back.
	every := time.Second
	if t.key == uuid.Nil {
		every = 200 * time.Millisecond
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-t.stop:
			return
		case <-t.kick:
		case <-ticker.C:
		}
		for t.pass() {
		}
	}
}

// pass reads one page and hands it out; it says whether there may be more.
func (t *topic) pass() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	t.hub.mu.Lock()
	tail := t.tail
	t.hub.mu.Unlock()
	events, err := t.hub.read(ctx, t.key, tail)
	if err != nil || len(events) == 0 {
		return false
	}
	t.hub.mu.Lock()
	defer t.hub.mu.Unlock()
	t.tail = place(t.key, events[len(events)-1])
	for s := range t.subs {
		select {
		case s.batches <- events:
		default: // too slow: it reads on from the database
			delete(t.subs, s)
			close(s.batches)
		}
	}
	return len(events) == pageOfEvents
}

// FollowRun calls emit with the events of a run after an id, first those that are there, then each as it is written,
// in order and without gaps. It returns nil once the run has ended and all was given, and the error of ctx or emit
// otherwise. emit is called with no events now and then, for a caller that must keep a connection alive.
func (e *Engine) FollowRun(ctx context.Context, id uuid.UUID, after int64, emit func([]Event) error) error {
	done := func(ev Event) bool {
		return ev.Type == EventRunSuccess || ev.Type == EventRunFailure || ev.Type == EventRunCanceled
	}
	run, err := e.Run(ctx, id)
	if err != nil {
		return err
	}
	if run.EndedAt != nil { // nothing more will come: what is there must be all
		for {
			events, err := e.RunEvents(ctx, id, after, pageOfEvents)
			if err != nil || len(events) == 0 {
				return err
			}
			after = events[len(events)-1].ID
			if err := emit(events); err != nil {
				return err
			}
		}
	}
	return e.follow(ctx, id, Cursor{ID: after}, done, emit)
}

// FollowAll does the same for the events of all runs, and only ends with ctx, emit or the engine. A nil cursor begins
// with what is new.
func (e *Engine) FollowAll(ctx context.Context, after *Cursor, emit func([]Event) error) error {
	if after == nil {
		end, err := e.hub.end(ctx, uuid.Nil)
		if err != nil {
			return err
		}
		after = &end
	}
	return e.follow(ctx, uuid.Nil, *after, func(Event) bool { return false }, emit)
}

// keepAlive is how often emit is called at least.
const keepAlive = 15 * time.Second

func (e *Engine) follow(ctx context.Context, key uuid.UUID, after Cursor, done func(Event) bool, emit func([]Event) error) error {
	give := func(events []Event) (ended bool, err error) {
		fresh := make([]Event, 0, len(events))
		for _, ev := range events {
			if at := place(key, ev); after.before(at) {
				fresh, after = append(fresh, ev), at
				ended = ended || done(ev)
			}
		}
		if len(fresh) == 0 {
			return false, nil
		}
		return ended, emit(fresh)
	}
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()
	for {
		sub, _, err := e.hub.subscribe(ctx, key)
		if err != nil {
			return err
		}
		ended, err := e.followOnce(ctx, key, sub, &after, alive.C, give, emit)
		e.hub.unsubscribe(sub)
		if ended || err != nil {
			return err
		}
		select {
		case <-e.hub.done:
			return context.Canceled
		default: // fell behind: once more from the database
		}
	}
}

func (e *Engine) followOnce(ctx context.Context, key uuid.UUID, sub *subscription, after *Cursor, alive <-chan time.Time, give func([]Event) (bool, error), emit func([]Event) error) (bool, error) {
	for { // what is there; whatever comes meanwhile waits in the subscription
		events, err := e.hub.read(ctx, key, *after)
		if err != nil {
			return false, err
		}
		if ended, err := give(events); ended || err != nil {
			return ended, err
		}
		if len(events) < pageOfEvents {
			break
		}
	}
	for {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-alive:
			if err := emit(nil); err != nil {
				return false, err
			}
		case events, ok := <-sub.batches:
			if !ok {
				return false, nil
			}
			if ended, err := give(events); ended || err != nil {
				return ended, err
			}
		}
	}
}
