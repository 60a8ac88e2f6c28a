package eventlog

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// Log reads the event log of a database and streams it. All its methods may be called from any goroutine.
//
// Each process that has had a stream keeps one LISTEN connection, and one reader for every run that somebody follows,
// or for all runs together, however many follow it.
type Log struct {
	db      *db.DB
	q       *sql.Queries
	relaxed *sql.Queries // see db.DB.Relaxed
	lists   *sql.Queries // planned anew for each set of filters
	logger  *slog.Logger
	readers sync.WaitGroup // the goroutines of topics

	mu     sync.Mutex           // guards topics, what is in them, and closed
	topics map[uuid.UUID]*topic // uuid.Nil: all runs
	closed bool
	done   chan struct{} // closed by Close

	wanted chan struct{} // closed with the first stream
	want   sync.Once

	pendingMu sync.Mutex
	pending   map[uuid.UUID]bool // runs that other processes have not been notified of; guarded by pendingMu
	notify    chan struct{}
}

// New makes a Log. Run connects it to other processes; until then a stream finds their events a second late.
func New(d *db.DB, logger *slog.Logger) *Log {
	return &Log{
		db: d, q: sql.New(d.Durable()), relaxed: sql.New(d.NoWait()), lists: sql.New(d.Lists()), logger: logger,
		topics: map[uuid.UUID]*topic{}, pending: map[uuid.UUID]bool{},
		notify: make(chan struct{}, 1), done: make(chan struct{}), wanted: make(chan struct{}),
	}
}

// OfRun lists at most limit events of a run after an id, oldest first.
func (l *Log) OfRun(ctx context.Context, runID uuid.UUID, after int64, limit int) ([]Event, error) {
	rows, err := l.lists.ListRunEvents(ctx, sql.ListRunEventsParams{
		RunID: runID, After: after, Since: earliest(runID), Limit: int32(limit), //nolint:gosec // bounded by the contract
	})
	if err != nil {
		return nil, fmt.Errorf("list the events of run %s: %w", runID, err)
	}
	return events(rows), nil
}

func events(rows []sql.Event) []Event {
	out := make([]Event, len(rows))
	for i, row := range rows {
		out[i] = Event(row)
	}
	return out
}

// earliest returns a moment before a run's first event, so that older partitions are not searched. The clocks of
// several machines may differ, but not by an hour.
func earliest(runID uuid.UUID) time.Time {
	if runID.Version() != 7 {
		return time.Time{}
	}
	s, ns := runID.Time().UnixTime()
	return time.Unix(s, ns).Add(-time.Hour)
}

// Stopping returns a channel that is closed by Close.
func (l *Log) Stopping() <-chan struct{} { return l.done }

// Close ends all streams, and lets no other begin.
func (l *Log) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.closed = true
	close(l.done)
	for _, t := range l.topics {
		for s := range t.subs {
			close(s.batches)
		}
		clear(t.subs)
		close(t.stop)
	}
	clear(l.topics)
}

// Wait waits until the goroutines of all streams have ended. Call Close first.
func (l *Log) Wait() { l.readers.Wait() }
