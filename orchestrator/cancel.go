package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivertype"

	"github.com/parliament-explorer/parliament-explorer/db"
)

// CancelRun stops a run: steps that wait are canceled at once, those that run are told to stop, wherever they run, and
// the run is `canceling` until they have. by says who asked. ErrConflict if the run has ended.
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
		if t.run.Status == StatusCanceling {
			return nil
		}
		return e.cancelTx(ctx, tx, t, by, nil)
	})
	if err != nil {
		return nil, err
	}
	e.wake(id)
	e.ended(t)
	return e.Run(ctx, id)
}

// cancelTx cancels a locked run that has not ended. With a reason the run will end as a failure.
func (e *Engine) cancelTx(ctx context.Context, tx pgx.Tx, t *transition, by string, reason *Error) error {
	q := e.q.WithTx(tx)
	p := db.SetRunStatusParams{ID: t.run.ID, Status: StatusCanceling, CanceledBy: optional(by)}
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
	t.add(newEvent{kind: EventRunCanceling, level: LevelWarn, message: message})
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
			// A running job's worker is notified; any other is canceled here and now.
			if _, err := e.river.JobCancelTx(ctx, tx, *s.JobID); err != nil && !errors.Is(err, rivertype.ErrNotFound) {
				return fmt.Errorf("cancel the River job of %s: %w", s.Asset, err)
			}
		}
		if s.Status == StatusStarted {
			continue
		}
		s.Status = StatusCanceled
		t.add(newEvent{kind: EventStepCanceled, level: LevelWarn, asset: s.Asset, message: s.Asset + " canceled"})
		if err := q.SetStepStatus(ctx, db.SetStepStatusParams{RunID: t.run.ID, Asset: s.Asset, Status: StatusCanceled, EndedAt: &t.at}); err != nil {
			return err
		}
		if err := e.stepEnded(ctx, q, t, s); err != nil {
			return err
		}
	}
	if err := e.endRun(ctx, tx, q, t); err != nil {
		return err
	}
	return t.writeEvents(ctx, q)
}
