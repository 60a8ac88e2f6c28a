package eventlog

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// notifyChannel carries the ids of runs that have new events, separated by commas.
const notifyChannel = "explorer_runs"

// topic is what one reader reads, and its subscriptions. Log.mu guards tail and subs.
type topic struct {
	log  *Log
	key  uuid.UUID // uuid.Nil: all runs
	tail Cursor    // every event up to it has been handed out
	subs map[*subscription]bool
	wake chan struct{}
	stop chan struct{}
}

// subscription is one client's share of a topic. Its channel is closed when the client falls behind or the Log closes.
type subscription struct {
	topic   *topic
	batches chan []Event
}

// Wake reports that a run has new events: to the streams of this process at once, to other processes within about 15
// ms. Notifications are gathered because each one takes a lock that all of Postgres shares.
func (l *Log) Wake(runID uuid.UUID) {
	l.wakeTopics(runID)
	l.pendingMu.Lock()
	l.pending[runID] = true
	l.pendingMu.Unlock()
	select {
	case l.notify <- struct{}{}:
	default:
	}
}

// wakeTopics has the readers of a run, and of all runs, read at once.
func (l *Log) wakeTopics(runID uuid.UUID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range []uuid.UUID{runID, uuid.Nil} {
		if t := l.topics[key]; t != nil {
			select {
			case t.wake <- struct{}{}:
			default:
			}
		}
	}
}

func (l *Log) wakeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.topics {
		select {
		case t.wake <- struct{}{}:
		default:
		}
	}
}

// Run sends notifications to other processes and receives theirs, until ctx ends.
func (l *Log) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { l.send(ctx) })
	select {
	case <-l.wanted: // a process without a stream keeps no connection for them
	case <-ctx.Done():
	}
	wait := 100 * time.Millisecond
	for ctx.Err() == nil {
		err := l.listen(ctx, func() { wait = 100 * time.Millisecond })
		if ctx.Err() != nil {
			break
		}
		l.logger.Warn("the connection that listens for events was lost; streams are slower until it is back", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, 5*time.Second)
	}
	wg.Wait()
}

// lastNotify is how long the notification that is sent as the process stops may take.
const lastNotify = 2 * time.Second

func (l *Log) send(ctx context.Context) {
	const gather, perPayload = 15 * time.Millisecond, 200 // a payload holds 8000 bytes
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.notify:
		}
		select {
		case <-ctx.Done():
		case <-time.After(gather):
		}
		l.pendingMu.Lock()
		ids := make([]string, 0, len(l.pending))
		for id := range l.pending {
			ids = append(ids, id.String())
		}
		clear(l.pending)
		l.pendingMu.Unlock()
		var payloads []string
		for len(ids) > 0 {
			n := min(len(ids), perPayload)
			payloads = append(payloads, strings.Join(ids[:n], ","))
			ids = ids[n:]
		}
		// A process that misses a notification finds the events a second later.
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastNotify)
		_ = l.relaxed.NotifyRuns(last, payloads)
		cancel()
	}
}

func (l *Log) listen(ctx context.Context, connected func()) error {
	conn, err := l.db.Connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing was written
	if _, err := conn.Exec(ctx, "LISTEN "+notifyChannel); err != nil {
		return err
	}
	connected()
	l.wakeAll() // for events that were written before the connection listened
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		for s := range strings.SplitSeq(n.Payload, ",") {
			if id, err := uuid.Parse(s); err == nil {
				l.wakeTopics(id)
			}
		}
	}
}

// subscribe joins a topic, and makes it for the first subscriber. Every event after the topic's tail will be received.
func (l *Log) subscribe(ctx context.Context, key uuid.UUID) (*subscription, error) {
	// The tail of a new topic is found before the lock is taken. If another goroutine made the topic meanwhile, the tail
	// that it found is used.
	end, err := l.end(ctx, key)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, context.Canceled
	}
	t := l.topics[key]
	l.want.Do(func() { close(l.wanted) })
	if t == nil {
		t = &topic{
			log: l, key: key, tail: end, subs: map[*subscription]bool{}, wake: make(chan struct{}, 1), stop: make(chan struct{}),
		}
		l.topics[key] = t
		l.readers.Go(t.run)
	}
	s := &subscription{topic: t, batches: make(chan []Event, 64)}
	t.subs[s] = true
	return s, nil
}

func (l *Log) unsubscribe(s *subscription) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := s.topic
	if !t.subs[s] {
		return
	}
	delete(t.subs, s)
	if len(t.subs) == 0 && l.topics[t.key] == t {
		delete(l.topics, t.key)
		close(t.stop)
	}
}

// end returns a place that every event that is not visible yet comes after.
func (l *Log) end(ctx context.Context, key uuid.UUID) (Cursor, error) {
	if key == uuid.Nil {
		xid, err := db.LogHorizon(ctx, l.db.Durable())
		return Cursor{Xid: xid, ID: -1}, err
	}
	rows, err := l.q.ListRunEventsNewestFirst(ctx, sql.ListRunEventsNewestFirstParams{
		RunID: key, Since: earliest(key), Limit: 1,
	})
	if err != nil || len(rows) == 0 {
		return Cursor{}, err
	}
	return Cursor{ID: rows[0].ID}, nil
}

// pageSize is how many events are read at once.
const pageSize = 500

// read returns the next events of a topic.
func (l *Log) read(ctx context.Context, key uuid.UUID, after Cursor) ([]Event, error) {
	if key == uuid.Nil {
		rows, err := l.q.ListEventsAfter(ctx, sql.ListEventsAfterParams{
			AfterXid: after.Xid, AfterID: after.ID, Limit: pageSize,
		})
		return events(rows), err
	}
	return l.OfRun(ctx, key, after.ID, pageSize)
}

// place returns the place of an event in its topic.
func place(key uuid.UUID, e Event) Cursor {
	if key == uuid.Nil {
		return e.Cursor()
	}
	return Cursor{ID: e.ID}
}

func (t *topic) run() {
	// The ticker finds events whose notification was lost and, in the stream of all runs, those that an older open
	// transaction held back.
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
		case <-t.wake:
		case <-ticker.C:
		}
		for t.pass() {
		}
	}
}

// pass reads one page and hands it out. It reports whether there may be more.
func (t *topic) pass() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	t.log.mu.Lock()
	tail := t.tail
	t.log.mu.Unlock()
	events, err := t.log.read(ctx, t.key, tail)
	if err != nil || len(events) == 0 {
		return false
	}
	t.log.mu.Lock()
	defer t.log.mu.Unlock()
	t.tail = place(t.key, events[len(events)-1])
	for s := range t.subs {
		select {
		case s.batches <- events:
		default: // too slow: the client reads on from the database
			delete(t.subs, s)
			close(s.batches)
		}
	}
	return len(events) == pageSize
}

// FollowRun calls emit with the events of a run after an id: first those that are stored, then each as it is written,
// in order and without gaps. ended says that the run has ended, so that only stored events are given. FollowRun returns
// nil once it has given the event that ends the run, or all events of a run that has ended; otherwise the error of ctx
// or emit. It calls emit without events every 15 s, so that a caller can keep a connection alive.
func (l *Log) FollowRun(ctx context.Context, runID uuid.UUID, after int64, ended bool, emit func([]Event) error) error {
	if !ended {
		last := func(ev Event) bool { return ev.Type == RunSuccess || ev.Type == RunFailure || ev.Type == RunCanceled }
		return l.follow(ctx, runID, Cursor{ID: after}, last, emit)
	}
	for {
		events, err := l.OfRun(ctx, runID, after, pageSize)
		if err != nil || len(events) == 0 {
			return err
		}
		after = events[len(events)-1].ID
		if err := emit(events); err != nil {
			return err
		}
	}
}

// FollowAll does the same for the events of all runs. It ends only with ctx, an error of emit, or Close. A nil cursor
// begins with new events.
func (l *Log) FollowAll(ctx context.Context, after *Cursor, emit func([]Event) error) error {
	if after == nil {
		end, err := l.end(ctx, uuid.Nil)
		if err != nil {
			return err
		}
		after = &end
	}
	return l.follow(ctx, uuid.Nil, *after, func(Event) bool { return false }, emit)
}

// keepAlive is the longest time between two calls of emit.
const keepAlive = 15 * time.Second

// follow gives the events of a topic after a place until one of them is the last.
func (l *Log) follow(
	ctx context.Context, key uuid.UUID, after Cursor, last func(Event) bool, emit func([]Event) error,
) error {
	give := func(events []Event) (ended bool, err error) {
		fresh := make([]Event, 0, len(events))
		for _, ev := range events {
			if at := place(key, ev); after.Before(at) {
				fresh, after = append(fresh, ev), at
				ended = ended || last(ev)
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
		sub, err := l.subscribe(ctx, key)
		if err != nil {
			return err
		}
		ended, err := l.followOnce(ctx, sub, &after, alive.C, give, emit)
		l.unsubscribe(sub)
		if ended || err != nil {
			return err
		}
		select {
		case <-l.done:
			return context.Canceled
		default: // the client fell behind: read on from the database
		}
	}
}

// followOnce gives the events that are stored, and then those of the subscription until it ends. It reports whether the
// last event was given.
func (l *Log) followOnce(
	ctx context.Context, sub *subscription, after *Cursor, alive <-chan time.Time,
	give func([]Event) (bool, error), emit func([]Event) error,
) (bool, error) {
	for { // events that are written meanwhile wait in the subscription
		events, err := l.read(ctx, sub.topic.key, *after)
		if err != nil {
			return false, err
		}
		if ended, err := give(events); ended || err != nil {
			return ended, err
		}
		if len(events) < pageSize {
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
