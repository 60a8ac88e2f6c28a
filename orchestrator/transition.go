package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// transition is a run under its row lock, with the changes that a transaction makes to it. One goroutine uses it.
type transition struct {
	run    sql.Run
	steps  []sql.Step
	at     time.Time
	events []eventlog.Entry
	// finished says that the run ended in this transaction.
	finished bool
	// trace is the metadata of the jobs that the transition enqueues; nil: that of the context.
	trace []byte
}

// lockRun locks a run's row, which orders all changes of a run, and then reads its steps.
func (e *Engine) lockRun(ctx context.Context, tx pgx.Tx, id uuid.UUID) (*transition, error) {
	run, steps, err := sql.LockRunAndSteps(ctx, tx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, &NotFoundError{Kind: "run", Name: id.String()}
	}
	return &transition{run: run, steps: steps, at: e.now()}, err
}

// step returns the step of an asset; an empty one if the run does not have it.
func (t *transition) step(asset string) *sql.Step {
	i := slices.IndexFunc(t.steps, func(s sql.Step) bool { return s.Asset == asset })
	if i < 0 {
		return &sql.Step{}
	}
	return &t.steps[i]
}

// add adds an event, at the time of the transition.
func (t *transition) add(ev eventlog.Entry) {
	ev.At = t.at
	t.events = append(t.events, ev)
}

func (t *transition) writeEvents(ctx context.Context, q *sql.Queries) error {
	return eventlog.Insert(ctx, q, t.run.ID, t.events)
}

// cancelOutcome turns the outcome of an attempt whose run is being canceled into a cancel, because there will be no
// other attempt. A success stays a success, and a panic stays visible as a bug.
func (t *transition) cancelOutcome(o *outcome) {
	if o.canceled || o.status == StatusSuccess || o.err != nil && o.err.Class == ClassBug {
		return
	}
	why := &Error{Class: ClassCanceled, Message: "canceled"}
	if t.run.CanceledBy != nil {
		why.Message += " by " + *t.run.CanceledBy
	}
	if late := errorOf(t.run.Error); late != nil { // its time limit canceled it, not a person
		why = &Error{Class: late.Class, Message: "the run " + late.Message}
	}
	if o.err != nil && o.status != StatusCanceled && o.status != StatusQueued {
		why.Message += "; the attempt had just failed: " + o.err.Message
	}
	o.status, o.err, o.canceled = StatusCanceled, why, true
}

// stepEvent adds the event that reports how an attempt ended.
func (t *transition) stepEvent(step *Step, o *outcome) {
	ev := eventlog.Entry{Asset: step.Asset, Attempt: step.Attempt, Level: eventlog.LevelInfo}
	switch o.status {
	case StatusSuccess:
		ev.Type, ev.Message = eventlog.StepSuccess, step.Asset+" succeeded"
	case StatusUpForRetry:
		ev.Type, ev.Level, ev.Data = eventlog.StepUpForRetry, eventlog.LevelWarn, eventlog.Data(o.err)
		ev.Message = fmt.Sprintf(
			"%s failed, next attempt in %s: %s", step.Asset, o.retryIn.Round(time.Millisecond), o.err.Message,
		)
	case StatusFailure:
		ev.Type, ev.Level, ev.Data = eventlog.StepFailure, eventlog.LevelError, eventlog.Data(o.err)
		ev.Message = step.Asset + " failed: " + o.err.Message
	case StatusCanceled:
		ev.Type, ev.Level, ev.Data = eventlog.StepCanceled, eventlog.LevelWarn, eventlog.Data(o.err)
		ev.Message = step.Asset + " canceled"
		if o.err != nil && o.err.Class != ClassCanceled {
			ev.Message += ": " + o.err.Message
		}
	case StatusQueued:
		ev.Type, ev.Message = eventlog.StepRequeued, step.Asset+" handed back by a worker that stops"
	}
	t.add(ev)
}

// advance enqueues the steps that became ready, skips those that never will be, and ends the run once its last step has
// ended.
func (e *Engine) advance(ctx context.Context, tx pgx.Tx, q *sql.Queries, t *transition) error {
	if err := e.queueReady(ctx, tx, q, t); err != nil {
		return err
	}
	if err := e.skipBlocked(ctx, q, t); err != nil {
		return err
	}
	return e.endRun(ctx, tx, q, t)
}

// queueReady enqueues the steps whose upstream steps have all succeeded.
func (e *Engine) queueReady(ctx context.Context, tx pgx.Tx, q *sql.Queries, t *transition) error {
	ready := t.ready()
	if len(ready) == 0 {
		return nil
	}
	ids, err := e.enqueueSteps(ctx, tx, ready, tagsOf(t.run))
	if err != nil {
		return err
	}
	for _, s := range ready {
		set := sql.SetStepStatusParams{RunID: t.run.ID, Asset: s.asset, Status: StatusQueued}
		if id, admitted := ids[s.key()]; admitted {
			set.JobID = &id
		}
		if err := q.SetStepStatus(ctx, set); err != nil {
			return err
		}
	}
	return nil
}

// ready gives the steps whose upstream steps have all succeeded the status queued, and returns them. It writes nothing.
func (t *transition) ready() []stepJob {
	var ready []stepJob
	for i := range t.steps {
		s := &t.steps[i]
		if s.Status == StatusWaiting &&
			!slices.ContainsFunc(
				s.Upstream,
				func(up string) bool { return t.step(up).Status != StatusSuccess || t.step(up).BlockedBy != nil },
			) {
			ready = append(ready, stepJob{run: t.run.ID, asset: s.Asset, priority: int(t.run.Priority), trace: t.trace})
			s.Status = StatusQueued
		}
	}
	return ready
}

// skipBlocked skips the steps downstream of one that failed, was skipped or canceled. Steps are sorted by name, not in
// dependency order, so it repeats until nothing changes.
func (e *Engine) skipBlocked(ctx context.Context, q *sql.Queries, t *transition) error {
	for changed := true; changed; {
		changed = false
		for i := range t.steps {
			s := &t.steps[i]
			if s.Status != StatusWaiting {
				continue
			}
			j := slices.IndexFunc(s.Upstream, func(up string) bool {
				st := t.step(up).Status
				return st == StatusFailure || st == StatusSkipped || st == StatusCanceled || t.step(up).BlockedBy != nil
			})
			if j < 0 {
				continue
			}
			s.Status, changed = StatusSkipped, true
			why := s.Upstream[j] + " did not succeed"
			if check := t.step(s.Upstream[j]).BlockedBy; check != nil {
				why = fmt.Sprintf("check %s of %s did not pass", *check, s.Upstream[j])
			}
			t.add(eventlog.Entry{
				Type:    eventlog.StepSkipped,
				Level:   eventlog.LevelWarn,
				Asset:   s.Asset,
				Message: s.Asset + " skipped: " + why,
			})
			if err := e.stepEnded(ctx, q, t, s); err != nil {
				return err
			}
			if err := q.SetStepStatus(ctx, sql.SetStepStatusParams{
				RunID: t.run.ID, Asset: s.Asset, Status: StatusSkipped, EndedAt: &t.at,
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// runEnd is how a run ends: its status, why if it failed, and the event that reports it.
type runEnd struct {
	status string
	err    *Error
	event  eventlog.Entry
}

// outcomeOf returns how a run ends by its steps; nil while one of them has not ended.
func (t *transition) outcomeOf(steps []sql.Step) *runEnd {
	var failed, canceled, blocked []string
	for _, s := range steps {
		switch {
		case !terminal(s.Status):
			return nil
		case s.Status == StatusSkipped:
			for _, up := range s.Upstream {
				if check := t.step(up).BlockedBy; check != nil {
					blocked = append(blocked, fmt.Sprintf("%s, by check %s of %s", s.Asset, *check, up))
				}
			}
		case s.Status == StatusFailure:
			failed = append(failed, s.Asset)
		case s.Status == StatusCanceled:
			canceled = append(canceled, s.Asset)
		}
	}
	failure := func(why string, err *Error) *runEnd {
		return &runEnd{status: StatusFailure, err: err, event: eventlog.Entry{
			Type: eventlog.RunFailure, Level: eventlog.LevelError, Message: "run failed: " + why,
		}}
	}
	if late := errorOf(t.run.Error); late != nil { // its time limit passed before its last step ended, however that ended
		return failure(late.Message, nil)
	}
	switch {
	case len(canceled) > 0:
		message := "run canceled"
		if t.run.CanceledBy != nil {
			message += " by " + *t.run.CanceledBy
		}
		return &runEnd{status: StatusCanceled, event: eventlog.Entry{
			Type: eventlog.RunCanceled, Level: eventlog.LevelWarn, Message: message,
		}}
	case len(failed) > 0:
		names := strings.Join(failed, ", ")
		return failure(names, &Error{Class: ClassPermanent, Message: "failed: " + names})
	case len(blocked) > 0:
		why := "held back: " + strings.Join(blocked, "; ")
		return failure(why, &Error{Class: ClassCheck, Message: why})
	}
	return &runEnd{status: StatusSuccess, event: eventlog.Entry{
		Type: eventlog.RunSuccess, Level: eventlog.LevelInfo, Message: "run succeeded",
	}}
}

// endRun gives the run its final status once all its steps have ended.
func (e *Engine) endRun(ctx context.Context, tx pgx.Tx, q *sql.Queries, t *transition) error {
	if ended, err := t.end(); err != nil || !ended {
		return err
	}
	if err := q.SetRunStatus(ctx, sql.SetRunStatusParams{
		ID: t.run.ID, Status: t.run.Status, EndedAt: &t.at, Error: t.run.Error,
	}); err != nil {
		return err
	}
	return e.endBackfillRun(ctx, tx, q, t.run)
}

// end gives the run its final status, with its event, if all its steps have ended. It writes nothing.
func (t *transition) end() (ended bool, err error) {
	end := t.outcomeOf(t.steps)
	if end == nil {
		return false, nil
	}
	if end.err != nil {
		if t.run.Error, err = json.Marshal(end.err); err != nil {
			return false, fmt.Errorf("error of run %s: %w", t.run.ID, err)
		}
	}
	t.run.Status, t.finished = end.status, true
	t.add(end.event)
	return true, nil
}

// tagsOf returns the tags of a run. They are valid, because this program wrote them.
func tagsOf(run sql.Run) map[string]string {
	var tags map[string]string
	_ = json.Unmarshal(run.Tags, &tags)
	return tags
}
