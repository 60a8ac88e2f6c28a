package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/alerts"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// deadAfter is the silence after which a worker is taken for dead.
func (e *Engine) deadAfter() time.Duration { return 4 * e.cfg.Heartbeat }

func (e *Engine) beat(ctx context.Context) error {
	host, _ := os.Hostname()
	return e.relaxed.Beat(ctx, sql.BeatParams{ID: e.id, Host: host, Pid: int32(os.Getpid())}) //nolint:gosec // a pid
}

// pulse is whether the database answers, as this process's own beats tell.
type pulse struct {
	mu    sync.Mutex
	last  time.Time // of those that were heard; zero after one that was not
	since time.Time // when it was well first
}

// heard notes a beat. After a silence everybody's last beat is old, or this process was frozen: they get time.
func (p *pulse) heard(now time.Time, deadAfter time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last.IsZero() || now.Sub(p.last) >= deadAfter {
		p.since = now
	}
	p.last = now
}

func (p *pulse) missed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = time.Time{}
}

// well says whether the last beat was heard, and not too long ago; calm, whether that has been so for long enough for
// every worker that lives to have said so.
func (p *pulse) well(now time.Time, deadAfter time.Duration) (well, calm bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	well = !p.last.IsZero() && now.Sub(p.last) < deadAfter
	return well, well && now.Sub(p.since) >= deadAfter
}

// beats says every heartbeat that this worker lives; a process that does no work only asks whether the database answers.
// Nothing else is done here: a task that hangs must not make a worker look dead.
func (e *Engine) beats(ctx context.Context) {
	ticker := time.NewTicker(e.cfg.Heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		round, cancel := context.WithTimeout(ctx, e.choreFor())
		var err error
		if e.cfg.Work {
			err = e.beat(round)
		} else {
			_, err = e.relaxed.DatabaseTime(round)
		}
		cancel()
		switch {
		case err == nil:
			e.pulse.heard(time.Now(), e.deadAfter())
		case ctx.Err() == nil:
			e.pulse.missed()
			e.log.Warn("heartbeat failed", "error", err)
		}
	}
}

// chore is a task of housekeeping. It is safe to be done by several workers at once.
type chore struct {
	name string
	do   func(context.Context) error
	// every is how often it is done at most; 0 is at every heartbeat.
	every time.Duration
	// calm keeps it from being done before every worker that lives had time to say so.
	calm bool
}

// chores are what is to be done, in this order.
func (e *Engine) chores() []chore {
	canceled := chore{name: "end canceled steps of dead workers", do: e.endAbandoned, calm: true}
	if !e.cfg.Work { // there may be no worker to do it
		return []chore{canceled}
	}
	lastDue := map[string]time.Time{}
	return []chore{
		{name: "stop steps that are no longer this worker's", do: e.stopLost},
		{name: "end runs past their time", do: e.endOverdue},
		canceled,
		{name: "requeue steps of dead workers", do: e.requeueLost, calm: true},
		{name: "requeue steps whose jobs are gone", do: e.requeueForgotten, calm: true},
		{name: "give back places of steps that ended", do: func(ctx context.Context) error {
			_, err := e.q.ReleaseForgottenSlots(ctx)
			return err
		}},
		{name: "give places to steps that wait", do: e.admitWaiting},
		{name: "catch up on schedules", do: func(ctx context.Context) error { return e.catchUp(ctx, lastDue) }},
		{name: "free sensors of dead workers", do: e.freeSensors},
		{name: "go on with backfills", do: e.advanceBackfills},
		{name: "watch freshness", do: e.watchFreshness},
		{name: "notify channels of deferred alerts", do: e.notifyDeferred},
		{name: "tidy up", do: e.tidy, every: time.Hour},
	}
}

// choreFor is how long a heartbeat, or one task of housekeeping, may take.
func (e *Engine) choreFor() time.Duration { return max(e.cfg.Heartbeat, 5*time.Second) }

// keep is every process's housekeeping: it looks after what others left behind. Each task has its own time, and none
// keeps the others from being done.
func (e *Engine) keep(ctx context.Context) {
	ticker := time.NewTicker(e.cfg.Heartbeat)
	defer ticker.Stop()
	chores := e.chores()
	done := make([]time.Time, len(chores))
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for i, c := range chores {
			well, calm := e.pulse.well(time.Now(), e.deadAfter())
			if !well || ctx.Err() != nil {
				break
			}
			if c.calm && !calm || c.every > 0 && time.Since(done[i]) < c.every {
				continue
			}
			round, cancel := context.WithTimeout(ctx, e.choreFor())
			err := c.do(round)
			cancel()
			if err == nil {
				done[i] = time.Now()
			} else if ctx.Err() == nil {
				e.log.Warn("housekeeping failed; it is tried again", "task", c.name, "error", err)
			}
		}
	}
}

// healthySince is since when workers could say that they live, as far as one that starts knows: since the database
// does. It must not wait for longer than that, or workers that are started again and again never look after each other.
func (e *Engine) healthySince(ctx context.Context) time.Time {
	now := time.Now()
	up, err := e.q.DatabaseUptime(ctx)
	if err != nil {
		return now
	}
	return now.Add(-min(e.deadAfter(), time.Duration(up*float64(time.Second))))
}

// freeSensors lets others evaluate what dead workers were evaluating.
func (e *Engine) freeSensors(ctx context.Context) error {
	_, err := e.q.FreeSensorsOfDeadWorkers(ctx, e.deadAfter().Seconds())
	return err
}

func (e *Engine) admitSoon() {
	select {
	case e.admitNow <- struct{}{}:
	default:
	}
}

// answerAdmissions gives free places to steps that wait as soon as there are any.
func (e *Engine) answerAdmissions(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.admitNow:
		}
		if err := e.admitWaiting(ctx); err != nil && ctx.Err() == nil {
			e.log.Warn("steps that wait could not be given a place; it is tried again", "error", err)
		}
	}
}

// stopLost stops functions whose steps are no longer this worker's: their run was canceled, and River's notification
// was lost, or this process was taken for dead meanwhile.
func (e *Engine) stopLost(ctx context.Context) error {
	running := map[int64]context.CancelCauseFunc{} // before asking: what is running was this worker's by then
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

// endOverdue cancels runs that have taken longer than they may; they end as failures.
func (e *Engine) endOverdue(ctx context.Context) error {
	now := e.now()
	ids, err := e.q.ListRunsPastDeadline(ctx, &now)
	if err != nil {
		return err
	}
	return eachRow(ctx, e, "end runs past their time", ids, uuid.UUID.String, func(ctx context.Context, id uuid.UUID) error {
		var t *transition
		err := e.db.Tx(ctx, func(tx pgx.Tx) error {
			var err error
			if t, err = e.lockRun(ctx, tx, id); err != nil || t.run.Status != StatusStarted {
				return err
			}
			reason := &Error{Class: ClassTimeout, Message: fmt.Sprintf("took longer than %s", time.Duration(t.run.TimeoutSeconds)*time.Second)}
			return e.cancelTx(ctx, tx, t, "", reason)
		})
		if err != nil {
			return err
		}
		e.ended(t)
		e.events.Wake(id)
		return nil
	})
}

// catchUp makes up a tick that River did not fire: its leader died, or its insert failed.
func (e *Engine) catchUp(ctx context.Context, lastDue map[string]time.Time) error {
	now := e.now()
	return eachRow(ctx, e, "catch up on schedules", slices.Clone(e.defs.schedules), func(s *Schedule) string { return s.Name }, func(ctx context.Context, s *Schedule) error {
		at := s.due(now)
		if at.Equal(lastDue[s.Name]) || now.Sub(at) < onTime+e.cfg.Heartbeat {
			return nil // looked at already, or River's turn
		}
		args, err := e.dueTick(ctx, s)
		if err != nil {
			return err
		}
		if args != nil {
			err := e.db.Tx(ctx, func(tx pgx.Tx) error {
				_, err := e.river.InsertTx(ctx, tx, *args, tickOpts())
				return err
			})
			if err != nil {
				return err
			}
		}
		lastDue[s.Name] = at
		return nil
	})
}

// maxLosses is how many workers a step may lose before it is taken for what kills them.
const maxLosses = 3

// requeueLost gives the jobs of dead workers to others. The job of the dead worker is closed and a new one
// made, so that a worker that was merely frozen finds its job closed and its step's fence moved.
func (e *Engine) requeueLost(ctx context.Context) error {
	jobs, err := e.q.ListLostJobs(ctx, sql.ListLostJobsParams{Kinds: []string{stepArgs{}.Kind(), tickArgs{}.Kind(), sensorRoundArgs{}.Kind(), sensorArgs{}.Kind(), backfillArgs{}.Kind(), alerts.DeliveryArgs{}.Kind(), retentionArgs{}.Kind()}, DeadAfter: e.deadAfter().Seconds()})
	if err != nil {
		return err
	}
	return eachRow(ctx, e, "requeue steps of dead workers", jobs, func(j sql.ListLostJobsRow) string { return fmt.Sprintf("job %d", j.ID) }, func(ctx context.Context, j sql.ListLostJobsRow) error {
		requeue := e.requeueOther
		if j.Kind == (stepArgs{}).Kind() {
			requeue = e.requeueStep
		}
		if err := requeue(ctx, j); err != nil {
			return err
		}
		e.observe.lost.Inc()
		e.log.Warn("the worker of a job is dead: requeued", "job_id", j.ID, "kind", j.Kind, "worker_id", j.WorkerID)
		return nil
	})
}

// sameArgs are the arguments of a job that is made again as it was.
type sameArgs struct {
	kind string
	raw  json.RawMessage
}

// Kind implements river.JobArgs.
func (a sameArgs) Kind() string { return a.kind }

// MarshalJSON implements json.Marshaler.
func (a sameArgs) MarshalJSON() ([]byte, error) { return a.raw, nil }

// requeueOther makes a job again that is no step. All of them may be done twice: their effects happen once. A claim to
// be unique stays with the closed job.
func (e *Engine) requeueOther(ctx context.Context, j sql.ListLostJobsRow) error {
	return e.db.Tx(ctx, func(tx pgx.Tx) error {
		if n, err := e.q.WithTx(tx).DiscardLostJob(ctx, sql.DiscardLostJobParams{ID: j.ID, WorkerID: j.WorkerID}); err != nil || n == 0 {
			return err
		}
		_, err := e.river.InsertTx(ctx, tx, sameArgs{kind: j.Kind, raw: j.Args}, &river.InsertOpts{Queue: j.Queue, MaxAttempts: int(j.MaxAttempts)})
		return err
	})
}

func (e *Engine) requeueStep(ctx context.Context, j sql.ListLostJobsRow) error {
	var args stepArgs
	if err := json.Unmarshal(j.Args, &args); err != nil {
		return err
	}
	return e.stepLost(ctx, args, j.ID, "worker "+j.WorkerID+" is dead", func(q *sql.Queries) (bool, error) {
		n, err := q.DiscardLostJob(ctx, sql.DiscardLostJobParams{ID: j.ID, WorkerID: j.WorkerID})
		return n > 0, err
	})
}

// requeueForgotten makes jobs for steps that have none that could still run. A crash of Postgres can lose the start of
// a step, and with it the worker's right to end it; people can delete jobs in River UI.
func (e *Engine) requeueForgotten(ctx context.Context) error {
	steps, err := e.q.ListForgottenSteps(ctx)
	if err != nil {
		return err
	}
	return eachRow(ctx, e, "requeue steps whose jobs are gone", steps, func(s sql.ListForgottenStepsRow) string { return s.RunID.String() + " " + s.Asset }, func(ctx context.Context, s sql.ListForgottenStepsRow) error {
		err := e.stepLost(ctx, stepArgs{RunID: s.RunID, Asset: s.Asset}, s.JobID, "its job is gone", func(q *sql.Queries) (bool, error) {
			n, err := q.JobsAlive(ctx, s.JobID)
			return n == 0, err
		})
		if err == nil {
			e.log.Warn("the job of a step is gone: requeued", "run_id", s.RunID, "asset", s.Asset, "job_id", s.JobID)
		}
		return err
	})
}

// stepLost has a step done again whose job came to nothing, if sure finds under the run's lock that it did.
func (e *Engine) stepLost(ctx context.Context, args stepArgs, jobID int64, why string, sure func(*sql.Queries) (bool, error)) error {
	var done *transition
	err := e.db.Tx(ctx, func(tx pgx.Tx) error {
		done = nil
		t, err := e.lockRun(ctx, tx, args.RunID)
		var gone *NotFoundError
		if errors.As(err, &gone) { // deleted meanwhile
			_, err := sure(e.q.WithTx(tx))
			return err
		}
		if err != nil {
			return err
		}
		if ok, err := sure(e.q.WithTx(tx)); err != nil || !ok {
			return err
		}
		var writes db.Pipeline // sent at the end: the locks of limits come before those of partitions
		q := sql.New(&writes)
		if err := e.lockPartitions(ctx, q, t); err != nil {
			return err
		}
		s := t.step(args.Asset)
		if s.JobID == nil || *s.JobID != jobID || terminal(s.Status) {
			return nil
		}
		switch {
		case t.run.Status == StatusCanceling:
			s.Status = StatusCanceled
			t.add(eventlog.Entry{Type: eventlog.StepCanceled, Level: eventlog.LevelWarn, Asset: s.Asset, Attempt: int(s.Attempt), Message: s.Asset + " canceled; " + why})
			err = q.SetStepStatus(ctx, sql.SetStepStatusParams{RunID: t.run.ID, Asset: s.Asset, Status: StatusCanceled, EndedAt: &t.at})
		case s.Status == StatusUpForRetry:
			// The attempt had ended, and said so: only the job for the next one is lost, and nothing else.
			var due time.Time
			if s.NextAttemptAt != nil {
				due = *s.NextAttemptAt
			}
			ids, insertErr := e.insertStepJobsAt(ctx, tx, t.run.ID, int(t.run.Priority), []string{s.Asset}, map[string]int{s.Asset: int(s.Failures)}, due)
			if insertErr != nil {
				return insertErr
			}
			return e.q.WithTx(tx).ReplaceStepJob(ctx, sql.ReplaceStepJobParams{RunID: t.run.ID, Asset: s.Asset, JobID: ptr(ids[s.Asset])})
		case s.Losses+1 >= maxLosses:
			s.Status = StatusFailure
			reason := &Error{Class: ClassLostWorker, Message: fmt.Sprintf("lost %d times; at last: %s", maxLosses, why)}
			raw, _ := json.Marshal(reason)
			t.add(eventlog.Entry{Type: eventlog.StepFailure, Level: eventlog.LevelError, Asset: s.Asset, Attempt: int(s.Attempt), Message: s.Asset + " failed: " + reason.Message, Data: reason})
			err = q.SetStepStatus(ctx, sql.SetStepStatusParams{RunID: t.run.ID, Asset: s.Asset, Status: StatusFailure, EndedAt: &t.at, Error: raw})
		default:
			// It keeps its place under limits.
			ids, insertErr := e.insertStepJobs(ctx, tx, t.run.ID, int(t.run.Priority), []string{s.Asset}, map[string]int{s.Asset: int(s.Failures)})
			if insertErr != nil {
				return insertErr
			}
			s.Status = StatusQueued
			t.add(eventlog.Entry{Type: eventlog.StepRequeued, Level: eventlog.LevelWarn, Asset: s.Asset, Attempt: int(s.Attempt), Message: s.Asset + " requeued: " + why})
			err = q.RequeueStep(ctx, sql.RequeueStepParams{RunID: t.run.ID, Asset: s.Asset, JobID: ptr(ids[s.Asset])})
		}
		if err != nil {
			return err
		}
		if err := errors.Join(e.stepEnded(ctx, q, t, s), e.advance(ctx, tx, q, t)); err != nil {
			return err
		}
		done = t
		return errors.Join(t.writeEvents(ctx, q), writes.Flush(ctx, tx))
	})
	e.events.Wake(args.RunID)
	if done != nil && err == nil {
		e.ended(done)
	}
	return err
}

// notifyDeferred notifies channels of alerts whose notification was deferred until now.
func (e *Engine) notifyDeferred(ctx context.Context) error {
	ids, err := e.alerts.Deferred(ctx)
	if err != nil {
		return err
	}
	return eachRow(ctx, e, "notify channels of deferred alerts", ids, uuid.UUID.String, e.alerts.Notify)
}

// tidy removes what is of no use any more.
func (e *Engine) tidy(ctx context.Context) error {
	_, err := e.q.DeleteIdempotencyKeys(ctx, e.now().Add(-24*time.Hour))
	return errors.Join(err, e.q.DeleteDeadWorkers(ctx))
}
