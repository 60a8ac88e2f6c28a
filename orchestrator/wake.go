package orchestrator

import (
	"context"
	"time"

	"github.com/riverqueue/river"
)

// River tells workers of new jobs. It finds jobs that are due later, such as retries, by polling, and a worker that
// polls often enough to be punctual does little else while it is idle. Therefore each worker knows when the jobs that
// it put off are due. While work is open, housekeeping also asks for those of others, and for jobs that nobody was told
// of.

const (
	// pollSteps and pollOthers are how often River polls its queues, in case that notifications are lost.
	pollSteps, pollOthers = 10 * time.Second, time.Minute
	// lateBy is how long a look for due jobs comes after the time at which they are due.
	lateBy = 2 * time.Millisecond
	// lookGap is the least time between two looks: many jobs may be due one shortly after the other.
	lookGap = 100 * time.Millisecond
	// lookSoon is when jobs that were just enqueued are looked for, as River does not tell of two within a millisecond.
	lookSoon = 60 * time.Millisecond
	// farAway is how far ahead jobs are waited for. Later heartbeats find those that are due later.
	farAway = time.Minute
)

// queues are the names of the River queues.
var queues = []string{queueSteps, queueTicks, queueSensors, queueBackfills, queueAlerts, queueMaintenance}

// putOffs returns the jobs that this worker puts off, until River stops. It tells of a job once that has been stored.
func (e *Engine) putOffs() (<-chan *river.Event, func()) {
	return e.worker.Subscribe(river.EventKindJobFailed, river.EventKindJobSnoozed)
}

// watchJobs wakes workers when jobs are due, until ctx ends. putOff is what putOffs returns.
func (e *Engine) watchJobs(ctx context.Context, putOff <-chan *river.Event) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	next, last := time.Now(), time.Time{}
	at := func(t time.Time) {
		if earliest := last.Add(lookGap); t.Before(earliest) {
			t = earliest
		}
		if next.IsZero() || t.Before(next) {
			next = t
			timer.Reset(max(0, time.Until(t)))
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case event, ok := <-putOff:
			if !ok {
				putOff = nil // River has stopped
			} else if event.Job.FinalizedAt == nil && time.Until(event.Job.ScheduledAt) < farAway {
				at(event.Job.ScheduledAt.Add(lateBy))
			}
		case putOff = <-e.sleep.woke:
		case <-e.look:
			at(time.Now())
		case <-timer.C:
			next, last = time.Time{}, time.Now()
			if wait, ok := e.wakeWorkers(ctx); ok {
				at(time.Now().Add(wait + lateBy))
			}
		}
	}
}

// wakeWorkers has all workers fetch jobs if any is due. It returns how long it takes until the next is due; ok is false
// if none is within farAway, or nothing could be asked.
func (e *Engine) wakeWorkers(ctx context.Context) (wait time.Duration, ok bool) {
	limited, cancel := context.WithTimeout(ctx, e.taskTimeout())
	defer cancel()
	row, err := e.relaxed.WakeWorkers(limited, queues)
	if err != nil {
		if ctx.Err() == nil { // it is done again after the next heartbeat
			e.log.Warn("jobs that are due could not be looked for", "error", err)
		}
		return 0, false
	}
	wait = time.Duration(row.NextSeconds * float64(time.Second))
	return wait, row.NextSeconds >= 0 && wait < farAway
}

// enqueued has the jobs looked for that a transaction is about to enqueue.
func (e *Engine) enqueued() {
	if e.looksSoon.CompareAndSwap(false, true) {
		time.AfterFunc(lookSoon, func() {
			e.looksSoon.Store(false)
			if !e.cfg.Work {
				e.wakeWorkers(e.background)
			} else {
				e.lookForJobs()
			}
		})
	}
}

// enqueuedOne has workers that sleep notified of a job that has been enqueued. River does not notify of it if it
// notified of another in the same millisecond, whose transaction may have failed.
func (e *Engine) enqueuedOne() {
	if e.cfg.Deep {
		e.enqueued()
	}
}

// lookForJobs has watchJobs look for due jobs now.
func (e *Engine) lookForJobs() {
	select {
	case e.look <- struct{}{}:
	default:
	}
}
