package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/alerts"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// maxLosses is how many workers a step may lose. After that it is assumed to kill them, and fails.
const maxLosses = 3

// requeueLost gives the jobs of dead workers to others.
func (e *Engine) requeueLost(ctx context.Context) error { return e.requeueLostFor(ctx, e.deadAfter()) }

// requeueLostFor gives the jobs of workers that are lost, or have sent no heartbeat for deadAfter, to others, and those
// that this worker was to have and does not; see inHand. It closes the job and inserts a new one, so that a worker that
// was merely frozen finds its job closed and its step given away.
func (e *Engine) requeueLostFor(ctx context.Context, deadAfter time.Duration) error {
	kinds := []string{
		stepArgs{}.Kind(), tickArgs{}.Kind(), sensorRoundArgs{}.Kind(), sensorArgs{}.Kind(), backfillArgs{}.Kind(),
		alerts.DeliveryArgs{}.Kind(), retentionArgs{}.Kind(),
	}
	jobs, err := e.q.ListLostJobs(ctx, sql.ListLostJobsParams{
		Kinds: kinds, DeadAfter: deadAfter.Seconds(),
		Own: e.id, InHand: e.inHand.ids(), InHandAfter: e.deadAfter().Seconds(),
	})
	if err != nil {
		return err
	}
	jobs = e.inHand.lost(jobs, e.id)
	name := func(j sql.ListLostJobsRow) string { return fmt.Sprintf("job %d", j.ID) }
	return eachRow(
		ctx,
		e,
		"requeue steps of dead workers",
		jobs,
		name,
		func(ctx context.Context, j sql.ListLostJobsRow) error {
			requeue := e.requeueOther
			if j.Kind == (stepArgs{}).Kind() {
				requeue = e.requeueStep
			}
			if err := requeue(ctx, j); err != nil {
				return err
			}
			e.observe.lost.Inc()
			what := "the worker of a job is dead: requeued"
			if j.WorkerID == e.id {
				what = "a job was lost on its way to this worker or back: requeued"
			}
			e.log.Warn(what, "job_id", j.ID, "kind", j.Kind, "worker_id", j.WorkerID)
			return nil
		},
	)
}

// sameArgs are the arguments of a job that is inserted again unchanged.
type sameArgs struct {
	kind string
	raw  json.RawMessage
}

// Kind implements river.JobArgs.
func (a sameArgs) Kind() string { return a.kind }

// MarshalJSON implements json.Marshaler.
func (a sameArgs) MarshalJSON() ([]byte, error) { return a.raw, nil }

// requeueOther inserts a job of another kind again. Such a job may be done twice, because its effects happen once. The
// new job is not unique; that claim stays with the closed job.
func (e *Engine) requeueOther(ctx context.Context, j sql.ListLostJobsRow) error {
	return e.db.Tx(ctx, func(tx pgx.Tx) error {
		lost := sql.DiscardLostJobParams{ID: j.ID, WorkerID: j.WorkerID}
		if n, err := e.q.WithTx(tx).DiscardLostJob(ctx, lost); err != nil || n == 0 {
			return err
		}
		_, err := e.river.InsertTx(
			ctx, tx, sameArgs{kind: j.Kind, raw: j.Args},
			&river.InsertOpts{Queue: j.Queue, MaxAttempts: int(j.MaxAttempts)},
		)
		return err
	})
}

// requeueStep has the step of a lost job done again.
func (e *Engine) requeueStep(ctx context.Context, j sql.ListLostJobsRow) error {
	var args stepArgs
	if err := json.Unmarshal(j.Args, &args); err != nil {
		return err
	}
	why := "worker " + j.WorkerID + " is dead"
	if j.WorkerID == e.id {
		why = "worker " + j.WorkerID + " does not have its job"
	}
	return e.stepLost(ctx, args, j.ID, why, func(q *sql.Queries) (bool, error) {
		n, err := q.DiscardLostJob(ctx, sql.DiscardLostJobParams{ID: j.ID, WorkerID: j.WorkerID})
		return n > 0, err
	})
}

// requeueForgotten inserts jobs for steps that have none that could still run. A crash of Postgres can lose the start
// of a step, and with it the worker's right to end it; an operator can delete jobs in River UI.
func (e *Engine) requeueForgotten(ctx context.Context) error {
	steps, err := e.q.ListForgottenSteps(ctx)
	if err != nil {
		return err
	}
	name := func(s sql.ListForgottenStepsRow) string { return s.RunID.String() + " " + s.Asset }
	return eachRow(
		ctx,
		e,
		"requeue steps whose jobs are gone",
		steps,
		name,
		func(ctx context.Context, s sql.ListForgottenStepsRow) error {
			args := stepArgs{RunID: s.RunID, Asset: s.Asset}
			err := e.stepLost(ctx, args, s.JobID, "its job is gone", func(q *sql.Queries) (bool, error) {
				n, err := q.JobsAlive(ctx, s.JobID)
				return n == 0, err
			})
			if err == nil {
				e.log.Warn("the job of a step is gone: requeued", "run_id", s.RunID, "asset", s.Asset, "job_id", s.JobID)
			}
			return err
		},
	)
}

// stepLost has a step whose job came to nothing done again. sure reports, under the run's lock, whether the job did.
func (e *Engine) stepLost(
	ctx context.Context, args stepArgs, jobID int64, why string, sure func(*sql.Queries) (bool, error),
) error {
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
		var writes db.Pipeline // flushed last: the locks of limits come before those of partitions
		q := sql.New(&writes)
		if err := e.lockPartitions(ctx, q, t); err != nil {
			return err
		}
		s := t.step(args.Asset)
		if s.JobID == nil || *s.JobID != jobID || terminal(s.Status) {
			return nil
		}
		if s.Status == StatusUpForRetry && t.run.Status != StatusCanceling {
			return e.replaceRetryJob(ctx, tx, t, s)
		}
		if err := e.replaceLostAttempt(ctx, tx, q, t, s, why); err != nil {
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

// replaceRetryJob makes the job for a step's next attempt again. The attempt before had ended and was recorded, so that
// nothing else is lost.
func (e *Engine) replaceRetryJob(ctx context.Context, tx pgx.Tx, t *transition, s *sql.Step) error {
	job := stepJob{run: t.run.ID, asset: s.Asset, priority: int(t.run.Priority), failures: int(s.Failures)}
	if s.NextAttemptAt != nil {
		job.at = *s.NextAttemptAt
	}
	ids, err := e.insertStepJobs(ctx, tx, []stepJob{job})
	if err != nil {
		return err
	}
	return e.q.WithTx(tx).ReplaceStepJob(ctx, sql.ReplaceStepJobParams{
		RunID: t.run.ID, Asset: s.Asset, JobID: ptr(ids[stepKey{t.run.ID, s.Asset}]),
	})
}

// replaceLostAttempt requeues a step whose attempt came to nothing. A step whose run is being canceled is canceled
// instead, and one that lost maxLosses workers fails.
func (e *Engine) replaceLostAttempt(
	ctx context.Context, tx pgx.Tx, q *sql.Queries, t *transition, s *sql.Step, why string,
) error {
	event := eventlog.Entry{Level: eventlog.LevelWarn, Asset: s.Asset, Attempt: int(s.Attempt)}
	switch {
	case t.run.Status == StatusCanceling:
		s.Status = StatusCanceled
		event.Type, event.Message = eventlog.StepCanceled, s.Asset+" canceled; "+why
		t.add(event)
		return q.SetStepStatus(ctx, sql.SetStepStatusParams{
			RunID: t.run.ID, Asset: s.Asset, Status: StatusCanceled, EndedAt: &t.at,
		})
	case s.Losses+1 >= maxLosses:
		s.Status = StatusFailure
		reason := &Error{Class: ClassLostWorker, Message: fmt.Sprintf("lost %d times; at last: %s", maxLosses, why)}
		raw, err := json.Marshal(reason)
		if err != nil {
			return fmt.Errorf("error of %s: %w", s.Asset, err)
		}
		event.Type, event.Level, event.Data = eventlog.StepFailure, eventlog.LevelError, raw
		event.Message = s.Asset + " failed: " + reason.Message
		t.add(event)
		return q.SetStepStatus(ctx, sql.SetStepStatusParams{
			RunID: t.run.ID, Asset: s.Asset, Status: StatusFailure, EndedAt: &t.at, Error: raw,
		})
	}
	// The step keeps its places under limits.
	ids, err := e.insertStepJobs(ctx, tx, []stepJob{
		{run: t.run.ID, asset: s.Asset, priority: int(t.run.Priority), failures: int(s.Failures)},
	})
	if err != nil {
		return err
	}
	s.Status = StatusQueued
	event.Type, event.Message = eventlog.StepRequeued, s.Asset+" requeued: "+why
	t.add(event)
	return q.RequeueStep(ctx, sql.RequeueStepParams{
		RunID: t.run.ID, Asset: s.Asset, JobID: ptr(ids[stepKey{t.run.ID, s.Asset}]),
	})
}
