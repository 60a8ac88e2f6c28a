package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// task is a task of housekeeping. Several workers may do it at once.
type task struct {
	name string
	do   func(context.Context) error
	// every is the least time between two times that it succeeds; 0: it is done at every heartbeat.
	every time.Duration
	// always has it done although no work is open.
	always bool
	// needsHeartbeats defers it until every live worker had time to send a heartbeat.
	needsHeartbeats bool
}

// tasks lists the tasks of housekeeping in the order in which they are done.
func (e *Engine) tasks() []task {
	canceled := task{name: "end canceled steps of dead workers", do: e.endAbandoned, needsHeartbeats: true}
	if !e.cfg.Work { // there may be no worker to do it
		canceled.every = 3 * e.cfg.Heartbeat
		return []task{canceled}
	}
	lastDue := map[string]time.Time{}
	return []task{
		{name: "stop steps that are no longer this worker's", do: e.stopLost, always: true}, // they may be all there is
		{name: "end runs past their time", do: e.endOverdue},
		canceled,
		{name: "requeue steps of dead workers", do: e.requeueLost, needsHeartbeats: true},
		{name: "requeue steps whose jobs are gone", do: e.requeueForgotten, needsHeartbeats: true},
		{name: "release places of steps that ended", do: func(ctx context.Context) error {
			_, err := e.q.ReleaseForgottenSlots(ctx)
			return err
		}},
		{name: "give places to steps that wait", do: e.admitWaiting},
		{
			name: "catch up on schedules", always: true,
			do: func(ctx context.Context) error { return e.catchUp(ctx, lastDue) },
		},
		{name: "release sensors of dead workers", do: e.freeSensors},
		{name: "advance backfills", do: e.advanceBackfills},
		{name: "watch freshness", do: e.watchFreshness, every: 10 * e.cfg.Heartbeat, always: true},
		{name: "notify channels of deferred alerts", do: e.notifyDeferred},
		{name: "delete expired idempotency keys and dead workers", do: e.tidy, every: time.Hour, always: true},
	}
}

// taskTimeout is how long a heartbeat, or one task of housekeeping, may take.
func (e *Engine) taskTimeout() time.Duration { return max(e.cfg.Heartbeat, 5*time.Second) }

// housekeeping does its tasks one after the other at every heartbeat, until ctx ends. Each task has its own timeout,
// and one that fails does not keep the others from being done. Nothing is done while the database does not answer. With
// Config.Deep, a worker sleeps here.
func (e *Engine) housekeeping(ctx context.Context) {
	ticker := time.NewTicker(e.cfg.Heartbeat)
	defer ticker.Stop()
	tasks := e.tasks()
	done := make([]time.Time, len(tasks))
	if e.cfg.Work {
		e.anyWork(ctx)
	}
	open, busy := true, time.Now()
	for round := 0; ; round++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if e.resting() {
			continue
		}
		if e.cfg.Work && (open || round%2 == 0) { // what is open now could have been so for as long
			open = e.anyWork(ctx)
		}
		e.doTasks(ctx, tasks, done, open)
		if !e.cfg.Work || !e.cfg.Deep {
			continue
		}
		if open && !e.onlyLater(ctx) {
			busy = time.Now()
		} else if time.Since(busy) >= e.sleep.times.quiet {
			e.fallAsleep(ctx, func() { e.doTasks(ctx, tasks, done, false) })
			open, busy = true, time.Now()
		}
	}
}

// doTasks does the tasks that are due, each with its own timeout. done holds when each succeeded last.
func (e *Engine) doTasks(ctx context.Context, tasks []task, done []time.Time, open bool) {
	for i, t := range tasks {
		well, calm := e.pulse.healthy(time.Now(), e.deadAfter())
		if !well || ctx.Err() != nil {
			break
		}
		if t.needsHeartbeats && !calm || t.every > 0 && time.Since(done[i]) < t.every ||
			!t.always && !open {
			continue
		}
		limited, cancel := context.WithTimeout(ctx, e.taskTimeout())
		err := t.do(limited)
		cancel()
		if err == nil {
			done[i] = time.Now()
		} else if ctx.Err() == nil {
			e.log.Warn("housekeeping failed; it is tried again", "task", t.name, "error", err)
		}
	}
}

// anyWork reports whether work is open: a run, a job, or what waits for one. It notes what else it finds out, for those
// who have something to do with it.
func (e *Engine) anyWork(ctx context.Context) bool {
	if well, _ := e.pulse.healthy(time.Now(), e.deadAfter()); !well {
		return true
	}
	limited, cancel := context.WithTimeout(ctx, e.taskTimeout())
	defer cancel()
	row, err := e.relaxed.OpenWork(limited, sql.OpenWorkParams{ID: e.id, Sensors: e.sensorNames()})
	if err != nil {
		if ctx.Err() == nil {
			e.log.Warn("open work could not be looked for", "error", err)
		}
		return true
	}
	if row.Others {
		e.othersWorked.Store(time.Now().UnixNano())
	}
	if row.SensorSeconds >= 0 {
		e.sensorDueAt(time.Now().Add(time.Duration(row.SensorSeconds * float64(time.Second))))
	}
	if due := row.SensorSeconds == 0; !due || !e.sensorWasDue {
		e.sensorWasDue = due
	} else {
		e.evaluateDue(limited)
	}
	if row.Anything {
		e.lookForJobs()
	}
	return row.Anything || e.sensorWasDue
}

// freeSensors ends the leases that dead workers have on sensors.
func (e *Engine) freeSensors(ctx context.Context) error {
	_, err := e.q.FreeSensorsOfDeadWorkers(ctx, e.deadAfter().Seconds())
	return err
}

// stopLost stops functions whose steps are no longer this worker's: their run was canceled and River's notification was
// lost, or this process was taken for dead meanwhile.
func (e *Engine) stopLost(ctx context.Context) error {
	running := map[int64]context.CancelCauseFunc{} // read before the database is: their steps were this worker's by then
	e.running.Range(func(id, cancel any) bool {
		running[id.(int64)] = cancel.(context.CancelCauseFunc)
		return true
	})
	if len(running) == 0 {
		return nil
	}
	mine, err := e.q.ListStepJobsOfWorker(ctx, &e.id)
	if err != nil {
		return err
	}
	for _, id := range mine {
		delete(running, id)
	}
	for _, cancel := range running {
		cancel(errRunCanceled)
	}
	return nil
}

// endOverdue cancels runs that exceeded their time limit. They end as failures.
func (e *Engine) endOverdue(ctx context.Context) error {
	now := e.now()
	ids, err := e.q.ListRunsPastDeadline(ctx, &now)
	if err != nil {
		return err
	}
	return eachRow(
		ctx,
		e,
		"end runs past their time",
		ids,
		uuid.UUID.String,
		func(ctx context.Context, id uuid.UUID) error {
			var t *transition
			err := e.db.Tx(ctx, func(tx pgx.Tx) error {
				var err error
				if t, err = e.lockRun(ctx, tx, id); err != nil || t.run.Status != StatusStarted {
					return err
				}
				limit := time.Duration(t.run.TimeoutSeconds) * time.Second
				reason := &Error{Class: ClassTimeout, Message: fmt.Sprintf("took longer than %s", limit)}
				return e.cancelTx(ctx, tx, t, "", reason)
			})
			if err != nil {
				return err
			}
			e.ended(t)
			e.events.Wake(id)
			return nil
		},
	)
}

// notifyDeferred notifies channels of alerts whose notification was deferred until now.
func (e *Engine) notifyDeferred(ctx context.Context) error {
	ids, err := e.alerts.Deferred(ctx)
	if err != nil {
		return err
	}
	return eachRow(ctx, e, "notify channels of deferred alerts", ids, uuid.UUID.String, e.alerts.Notify)
}

// tidy deletes idempotency keys older than a day, and workers that have been dead for a day.
func (e *Engine) tidy(ctx context.Context) error {
	_, err := e.q.DeleteIdempotencyKeys(ctx, e.now().Add(-24*time.Hour))
	return errors.Join(err, e.q.DeleteDeadWorkers(ctx))
}
