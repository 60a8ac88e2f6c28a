package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivertype"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// CancelRun cancels a run. It cancels waiting steps at once, and stops running steps on whatever worker they run; the
// run is `canceling` until they have stopped. Steps whose worker is dead are canceled at once too; if the worker comes
// back, it can record nothing of them. by names who asked for it. ErrConflict if the run has ended.
func (e *Engine) CancelRun(ctx context.Context, id uuid.UUID, by string) (*Run, error) {
	var t *transition
	err := e.db.Tx(ctx, func(tx pgx.Tx) (err error) {
		t, err = e.lockRun(ctx, tx, id)
		if err != nil {
			return err
		}
		if terminal(t.run.Status) {
			return &ConflictError{Reason: fmt.Sprintf("run %s has ended already, as %s", id, t.run.Status)}
		}
		if t.run.Status == StatusCanceling { // its workers may have died since
			return e.abandonTx(ctx, tx, t)
		}
		return e.cancelTx(ctx, tx, t, by, nil)
	})
	if err != nil {
		return nil, withContext(err, "cancel run %s", id)
	}
	e.use() // its workers may be dead, and this process the only one
	e.events.Wake(id)
	e.ended(t)
	return e.Run(ctx, id)
}

// cancelTx cancels a locked run that has not ended. With a reason, the run ends as a failure.
func (e *Engine) cancelTx(ctx context.Context, tx pgx.Tx, t *transition, by string, reason *Error) error {
	q := e.q.WithTx(tx)
	p := sql.SetRunStatusParams{ID: t.run.ID, Status: StatusCanceling, CanceledBy: optional(by)}
	message := "canceling"
	if by != "" {
		message += " on request of " + by
	}
	if reason != nil {
		raw, err := json.Marshal(reason)
		if err != nil {
			return err
		}
		p.Error, t.run.Error = raw, raw
		message += ": " + reason.Message
	}
	t.run.Status, t.run.CanceledBy = StatusCanceling, p.CanceledBy
	t.add(eventlog.Entry{Type: eventlog.RunCanceling, Level: eventlog.LevelWarn, Message: message})
	if err := q.SetRunStatus(ctx, p); err != nil {
		return err
	}
	if err := e.lockPartitions(ctx, q, t); err != nil {
		return err
	}
	for i := range t.steps {
		s := &t.steps[i]
		if terminal(s.Status) {
			continue
		}
		if s.JobID != nil {
			// The worker of a running job is notified; any other job is canceled at once.
			if _, err := e.river.JobCancelTx(ctx, tx, *s.JobID); err != nil && !errors.Is(err, rivertype.ErrNotFound) {
				return fmt.Errorf("cancel the River job of %s: %w", s.Asset, err)
			}
		}
		if s.Status == StatusStarted {
			continue
		}
		s.Status = StatusCanceled
		t.add(eventlog.Entry{
			Type:    eventlog.StepCanceled,
			Level:   eventlog.LevelWarn,
			Asset:   s.Asset,
			Message: s.Asset + " canceled",
		})
		if err := q.SetStepStatus(ctx, sql.SetStepStatusParams{
			RunID: t.run.ID, Asset: s.Asset, Status: StatusCanceled, EndedAt: &t.at,
		}); err != nil {
			return err
		}
		if err := e.stepEnded(ctx, q, t, s); err != nil {
			return err
		}
	}
	return e.abandonTx(ctx, tx, t)
}

// abandonTx cancels the started steps of a locked run in `canceling` whose workers are dead, ends the run if they were
// the last, and writes the transition's events. It closes the jobs of the steps as well, so that a worker that comes
// back owns neither the step nor the job.
func (e *Engine) abandonTx(ctx context.Context, tx pgx.Tx, t *transition) error {
	q := e.q.WithTx(tx)
	steps, err := q.ListAbandonedSteps(
		ctx, sql.ListAbandonedStepsParams{RunID: t.run.ID, DeadAfter: e.deadAfter().Seconds()},
	)
	if err != nil {
		return err
	}
	for _, lost := range steps {
		s := t.step(lost.Asset)
		if s.JobID != nil {
			if _, err := q.DiscardLostJob(ctx, sql.DiscardLostJobParams{ID: *s.JobID, WorkerID: lost.WorkerID}); err != nil {
				return err
			}
		}
		o := outcome{status: StatusCanceled}
		t.cancelOutcome(&o)
		o.err.Message += "; its worker is dead"
		raw, err := json.Marshal(o.err)
		if err != nil {
			return err
		}
		s.Status = StatusCanceled
		t.add(eventlog.Entry{
			Type:    eventlog.StepCanceled,
			Level:   eventlog.LevelWarn,
			Asset:   s.Asset,
			Attempt: int(s.Attempt),
			Message: s.Asset + " canceled; its worker is dead",
			Data:    raw,
		})
		if err := q.SetStepStatus(ctx, sql.SetStepStatusParams{
			RunID: t.run.ID, Asset: s.Asset, Status: StatusCanceled, EndedAt: &t.at, Error: raw,
		}); err != nil {
			return err
		}
		if err := e.stepEnded(ctx, q, t, s); err != nil {
			return err
		}
	}
	if !terminal(t.run.Status) {
		if err := e.endRun(ctx, tx, q, t); err != nil {
			return err
		}
	}
	return t.writeEvents(ctx, q)
}

// endAbandoned ends canceled runs whose workers are dead. Every process does that, because there may be no worker.
func (e *Engine) endAbandoned(ctx context.Context) error {
	ids, err := e.q.ListAbandonedRuns(ctx, e.deadAfter().Seconds())
	if err != nil {
		return err
	}
	return eachRow(
		ctx,
		e,
		"end canceled steps of dead workers",
		ids,
		uuid.UUID.String,
		func(ctx context.Context, id uuid.UUID) error {
			var t *transition
			err := e.db.Tx(ctx, func(tx pgx.Tx) (err error) {
				if t, err = e.lockRun(ctx, tx, id); err != nil || t.run.Status != StatusCanceling {
					return err
				}
				return e.abandonTx(ctx, tx, t)
			})
			if err != nil {
				return err
			}
			e.events.Wake(id)
			e.ended(t)
			return nil
		},
	)
}
