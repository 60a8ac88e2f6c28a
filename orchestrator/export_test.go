package orchestrator

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// EverySecond makes a schedule due each second, which no cron expression of five fields can say.
func EverySecond(s *Schedule) {
	times, err := cron.NewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).
		Parse("* * * * * *")
	if err != nil {
		panic(err)
	}
	s.times = times
}

// Due exposes due.
func Due(s *Schedule, now time.Time) time.Time { return s.due(now) }

// DatabaseOf is the database that an engine works on.
func DatabaseOf(e *Engine) *db.DB { return e.db }

// ResolveConfig exposes resolveConfig.
func ResolveConfig(d *Definitions, assets []string, raw json.RawMessage) (map[string]json.RawMessage, error) {
	return d.resolveConfig(assets, nil, nil, raw)
}

// WatchFreshness is one round of watchFreshness.
func WatchFreshness(ctx context.Context, e *Engine) error { return e.watchFreshness(ctx) }

// Held is how many events a step holds.
func Held(s *Step) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.held) + s.flight
}

// Relaxed replaces what an engine writes with that may be lost.
func Relaxed(e *Engine, with func(db.Querier) db.Querier) { e.relaxed = sql.New(with(e.db.Relaxed)) }

// Shared is a shared of strings.
type Shared struct{ s shared[string] }

// NewShared makes a Shared whose batches do does.
func NewShared(do func([]*string)) *Shared { return &Shared{shared[string]{do: do}} }

// Add exposes add.
func (s *Shared) Add(item string) <-chan struct{} { return s.s.add(&item) }

// HoldRecords holds the first run to be recorded until n more are asked for, and closes the channel once it holds one.
// Those asked for afterwards are recorded together. Call it before any is.
func HoldRecords(e *Engine, n int) <-chan struct{} { return hold(&e.records, n) }

// HoldEnds holds the first end to be recorded until n more are, as HoldRecords does.
func HoldEnds(e *Engine, n int) <-chan struct{} { return hold(&e.ends, n) }

func hold[T any](s *shared[T], n int) <-chan struct{} {
	asked, holds, do := make(chan struct{}, 100), make(chan struct{}), s.do
	var first sync.Once
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = func() { asked <- struct{}{} }
	s.do = func(batch []*T) {
		first.Do(func() {
			close(holds)
			for range n + 1 {
				<-asked
			}
		})
		do(batch)
	}
	return holds
}

// LoseAnswers has an engine not see that ends were recorded together, as if the connection broke during the commit.
func LoseAnswers(e *Engine) {
	do := e.ends.do
	e.ends.do = func(batch []*sharedEnd) {
		do(batch)
		for _, s := range batch {
			s.notDone()
		}
	}
}

// PanicTogether has whatever an engine does together panic: before it is done, or afterwards.
func PanicTogether(e *Engine, afterwards bool) {
	panicking(e, &e.records, (*sharedRecord).notDone, false) // one that was committed is not recorded again
	panicking(e, &e.starts, (*sharedStart).notDone, afterwards)
	panicking(e, &e.ends, (*sharedEnd).notDone, afterwards)
}

func panicking[T any](e *Engine, s *shared[T], alone func(*T), afterwards bool) {
	do := s.do
	s.do = rescued(e.log, func(batch []*T) {
		if afterwards {
			do(batch)
		}
		panic("together")
	}, alone)
}

// WorkerID returns the engine's id among the workers.
func WorkerID(e *Engine) string { return e.id }

// LosesAfter has a worker miss jobs for so long before they are lost. Call it before Start.
func LosesAfter(e *Engine, after time.Duration) { e.inHand.after = after }

// Sleeps makes the times of an engine with Config.Deep short: it sleeps once nothing has been due for quiet, wakes
// ahead of what is due, and says when it has fallen asleep (true) or woken (false). Call it before Start.
func Sleeps(e *Engine, quiet, ahead time.Duration) <-chan bool {
	asleep := make(chan bool, 1000)
	e.sleep.times.quiet, e.sleep.times.least, e.sleep.times.ahead = quiet, quiet, ahead
	e.sleep.signal = func(is bool) { asleep <- is }
	return asleep
}

// ShortNaps makes the time short after which a worker that sleeps does what must always be done.
func ShortNaps(e *Engine, most time.Duration) { e.sleep.times.most = most }

// DueAt makes a schedule due at a moment, and each hour from then on.
func DueAt(s *Schedule, at time.Time) { s.times = hourly{at} }

type hourly struct{ first time.Time }

func (h hourly) Next(after time.Time) time.Time {
	if after.Before(h.first) {
		return h.first
	}
	return h.first.Add((after.Sub(h.first)/time.Hour + 1) * time.Hour)
}

// RecordsAsked tells of each run that is to be recorded. Call it before any is.
func RecordsAsked(e *Engine) <-chan struct{} {
	asked := make(chan struct{}, 100)
	e.records.mu.Lock()
	defer e.records.mu.Unlock()
	e.records.asked = func() { asked <- struct{}{} }
	return asked
}
