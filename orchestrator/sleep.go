package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// With Config.Deep, a worker sleeps while nothing is due: River is stopped, and one connection listens for new jobs. It
// wakes for a job, a little before something is due, and if the connection breaks. No job runs while it sleeps, so that
// its last heartbeat may be valid for long: it sends another before it fetches jobs again.

// sleepTimes are when workers sleep, and for how long.
type sleepTimes struct {
	// quiet is how long nothing has been due before a worker sleeps.
	quiet time.Duration
	// least is how far away what is due next must be.
	least time.Duration
	// most is how long a worker sleeps until it sends a heartbeat and does what must always be done.
	most time.Duration
	// ahead is how long before something is due a worker wakes: River elects a leader, which then starts its periodic
	// jobs within a second.
	ahead time.Duration
}

var usualSleep = sleepTimes{quiet: time.Minute, least: 20 * time.Second, most: 10 * time.Minute, ahead: 3 * time.Second}

const (
	// asleepMargin is how much longer the heartbeat of a worker that sleeps is valid.
	asleepMargin = time.Minute
	// tickLookback is how far back a tick is looked for that River may have failed to enqueue while it stopped.
	tickLookback = 5 * time.Second
	// punctualFrom is the least interval of sensors that workers wake for.
	punctualFrom = time.Minute
	// sweepAsleep is how often a worker that sleeps deletes old records.
	sweepAsleep = time.Hour
	// useFor is how long a process without work looks after what it was asked for: until workers that are dead by then
	// are taken for dead, and one round of housekeeping more.
	useFor = 30 * time.Second
)

// sleep is the state of a process that may sleep.
type sleep struct {
	times  sleepTimes
	gate   gate
	asleep atomic.Bool
	beats  sync.Mutex                 // held while a heartbeat is sent
	woke   chan (<-chan *river.Event) // River has started again, with new putOffs
	swept  time.Time                  // when old records were last deleted while asleep; only housekeeping uses it
	used   atomic.Int64               // when a process without work was last used, in ns since 1970
	signal func(asleep bool)          // tests set it: it is called when the worker has fallen asleep or woken
}

// gate counts the jobs that run. None begins while it is closed.
type gate struct {
	mu     sync.Mutex
	closed bool
	inside int
}

// work is a middleware of River's. It puts back a job that River fetched while it was stopping.
func (g *gate) work(ctx context.Context, _ *rivertype.JobRow, job func(context.Context) error) error {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return river.JobSnooze(0)
	}
	g.inside++
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		g.inside--
		g.mu.Unlock()
	}()
	return job(ctx)
}

// close closes the gate unless a job runs, and reports whether it did.
func (g *gate) close() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = g.inside == 0
	return g.closed
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = false
}

// resting reports whether this process does nothing of its own accord: the worker sleeps, or a process without work has
// not been used.
func (e *Engine) resting() bool {
	switch {
	case !e.cfg.Deep:
		return false
	case e.cfg.Work:
		return e.sleep.asleep.Load()
	}
	idle := time.Since(time.Unix(0, e.sleep.used.Load()))
	if idle > e.sleep.times.most {
		e.use()
		return false
	}
	return idle > useFor
}

// use has a process without work look after what it was asked for.
func (e *Engine) use() { e.sleep.used.Store(time.Now().UnixNano()) }

// validFor returns how long a heartbeat is valid, besides the usual time.
func (e *Engine) validFor() time.Duration {
	if e.sleep.asleep.Load() {
		return e.sleep.times.most + asleepMargin
	}
	return 0
}

// onlyLater reports whether all the work that is open is due later.
func (e *Engine) onlyLater(ctx context.Context) bool {
	limited, cancel := context.WithTimeout(ctx, e.taskTimeout())
	defer cancel()
	until, err := e.nothingUntil(limited, e.relaxed, time.Now().Add(-tickLookback))
	return err == nil && time.Until(until) > e.sleep.times.least
}

// nothingUntil returns until when nothing need be done, but for jobs that are yet to come; in the past if something is
// to be done now. Ticks of schedules count from since.
func (e *Engine) nothingUntil(ctx context.Context, q *sql.Queries, since time.Time) (time.Time, error) {
	now := time.Now()
	row, err := q.NextDue(ctx, e.punctualSensors())
	if err != nil {
		return time.Time{}, fmt.Errorf("look for what is due: %w", err)
	}
	if row.Busy {
		return time.Time{}, nil
	}
	until := now.Add(time.Duration(row.DueSeconds * float64(time.Second)))
	for _, s := range e.defs.schedules {
		if !slices.Contains(row.Schedules, s.Name) {
			continue
		}
		if at := s.times.Next(since); !at.IsZero() && at.Before(until) {
			until = at
		}
	}
	return until.Add(-e.sleep.times.ahead), nil
}

// punctualSensors returns the sensors that workers wake for. The others are evaluated so often that workers would never
// sleep. While all workers sleep, they are evaluated when one does what must always be done.
func (e *Engine) punctualSensors() []string {
	names := []string{}
	for _, s := range e.defs.sensors {
		if s.Interval >= punctualFrom {
			names = append(names, s.Name)
		}
	}
	return names
}

// fallAsleep lets this worker sleep until it has something to do. It does not if that is so already, or soon. chores
// does what must always be done.
func (e *Engine) fallAsleep(ctx context.Context, chores func()) {
	conn, err := e.listenForJobs(ctx)
	if err != nil {
		if ctx.Err() == nil {
			e.log.Debug("this worker cannot listen for jobs: it stays awake", "error", err)
		}
		return
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing was written
	since := time.Now().Add(-tickLookback)
	until, err := e.askUntil(ctx, conn, since)
	if err != nil || time.Until(until) < e.sleep.times.least || !e.sleep.gate.close() {
		return
	}
	defer e.awake(ctx)
	if e.worker.Stop(ctx) != nil {
		return // the engine stops
	}
	if err := e.doze(ctx, conn, since, chores); err != nil && ctx.Err() == nil {
		e.log.Debug("this worker wakes because the database does not answer as it should", "error", err)
	}
}

// listenForJobs makes a connection that is notified of new jobs.
func (e *Engine) listenForJobs(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, e.taskTimeout())
	defer cancel()
	conn, err := e.db.Connect(ctx)
	if err != nil {
		return nil, err
	}
	topic, err := sql.New(conn).InsertTopic(ctx)
	if err == nil {
		_, err = conn.Exec(ctx, "LISTEN "+pgx.Identifier{topic}.Sanitize())
	}
	if err != nil {
		_ = conn.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	return conn, nil
}

// askUntil is nothingUntil, asked on the connection that listens, so that one that is broken is noticed.
func (e *Engine) askUntil(ctx context.Context, conn *pgx.Conn, since time.Time) (time.Time, error) {
	limited, cancel := context.WithTimeout(ctx, e.taskTimeout())
	defer cancel()
	return e.nothingUntil(limited, sql.New(conn), since)
}

// doze returns when the worker has something to do. River has stopped. Work that came before it is found by asking, and
// work that comes later notifies conn.
func (e *Engine) doze(ctx context.Context, conn *pgx.Conn, since time.Time, chores func()) error {
	for first := true; ; first = false {
		until, err := e.askUntil(ctx, conn, since)
		if err != nil || time.Until(until) <= 0 {
			return err
		}
		e.sleep.asleep.Store(true)
		if err := e.beatOnce(ctx); err != nil {
			return err
		}
		if first && e.sleep.signal != nil {
			e.sleep.signal(true)
		}
		if !first {
			since = time.Now().Add(-tickLookback)
			chores()
			if err := errors.Join(e.evaluateAsleep(ctx), e.sweepAsleep(ctx)); err != nil {
				return err
			}
		}
		nap := min(time.Until(until), e.sleep.times.most)
		limited, cancel := context.WithTimeout(ctx, nap)
		_, err = conn.WaitForNotification(limited)
		over := limited.Err() != nil
		cancel()
		if err == nil || !over || nap < e.sleep.times.most {
			return nil // there is a job, the connection broke, or something is due
		}
	}
}

// evaluateAsleep evaluates the sensors that are due. The runs that they start wake the workers.
func (e *Engine) evaluateAsleep(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, e.taskTimeout())
	defer cancel()
	return (&sensorRoundWorker{engine: e}).Work(limited, nil)
}

// sweepAsleep deletes old records once an hour, as River's leader does while it is awake.
func (e *Engine) sweepAsleep(ctx context.Context) error {
	if e.sleep.swept.IsZero() {
		e.sleep.swept = time.Now()
	}
	if time.Since(e.sleep.swept) < sweepAsleep {
		return nil
	}
	e.sleep.swept = time.Now()
	ctx, cancel := context.WithTimeout(ctx, e.sleep.times.most)
	defer cancel()
	return e.retention.SweepNow(ctx)
}

// beatOnce sends a heartbeat out of turn.
func (e *Engine) beatOnce(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, e.taskTimeout())
	defer cancel()
	if err := e.beat(limited); err != nil {
		e.pulse.missed()
		return fmt.Errorf("heartbeat: %w", err)
	}
	e.pulse.heard(time.Now(), e.deadAfter())
	return nil
}

// awake has this worker work again. It returns once River has started, or the engine stops.
func (e *Engine) awake(ctx context.Context) {
	e.sleep.asleep.Store(false)
	const least, most = 100 * time.Millisecond, 2 * time.Second
	for wait := least; ctx.Err() == nil && !e.stopping.Load(); wait = min(2*wait, most) {
		err := e.startAgain(ctx)
		if err == nil {
			break
		}
		if ctx.Err() == nil {
			e.log.Warn("this worker cannot work yet; it tries again", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	if e.sleep.signal != nil {
		e.sleep.signal(false)
	}
}

// startAgain sends a heartbeat that is valid for the usual time, and then starts River.
func (e *Engine) startAgain(ctx context.Context) error {
	if err := e.beatOnce(ctx); err != nil {
		return err
	}
	e.othersWorked.Store(time.Now().UnixNano()) // they may be at work
	e.sleep.gate.open()
	putOff, cancel := e.putOffs()
	if err := e.worker.Start(e.background); err != nil {
		cancel()
		return fmt.Errorf("start river: %w", err)
	}
	select {
	case <-e.sleep.woke: // the last was not taken
	default:
	}
	e.sleep.woke <- putOff
	if e.stopping.Load() { // Stop may have been before
		_ = e.worker.Stop(ctx)
	}
	e.lookForJobs()
	return nil
}
