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
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// errFenced: the step belongs to another attempt now.
var errFenced = errors.New("the step belongs to another attempt")

// For how long the end of an attempt is tried to be recorded; then the step is done again. A process that stops does not
// keep others waiting.
const (
	finishFor         = 2 * time.Minute
	finishForStopping = 3 * time.Second
	finishTry         = 10 * time.Second
)

// maxRefusals is how often an end may be refused for what it is.
const maxRefusals = 3

// finishStep records the end of an attempt in one transaction. What Postgres refuses for its own reasons (it is away, its
// disk or its connections are used up, another transaction was in the way) is tried again for two minutes. An end that
// is refused for what it is (metadata that Postgres cannot hold, an InFinish that fails) is recorded as the failure it
// is: trying for ever would help nobody.
func (e *Engine) finishStep(ctx context.Context, job *river.Job[stepArgs], step *Step, o *outcome) error {
	ctx = context.WithoutCancel(ctx)
	deadline, stopping := time.Now().Add(finishFor), e.Stopping()
	hurry := func() {
		if soon := time.Now().Add(finishForStopping); soon.Before(deadline) {
			deadline = soon
		}
		stopping = nil
	}
	events, inFinish := step.end()
	refusals := 0
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		if stopping != nil && e.stopping.Load() {
			hurry()
		}
		try, cancel := context.WithTimeout(ctx, finishTry)
		var t *transition
		err := e.db.Tx(try, func(tx pgx.Tx) (err error) {
			t, err = e.finishStepTx(try, tx, job, step, o, events, inFinish)
			return err
		})
		cancel()
		if err == nil || errors.Is(err, errFenced) {
			e.events.Wake(step.RunID)
			if err == nil {
				e.ended(t)
			}
			return err
		}
		if time.Now().Add(wait).After(deadline) {
			return err
		}
		e.log.Warn("recording the end of a step failed; trying again", "run_id", step.RunID, "asset", step.Asset, "error", err)
		if !databaseTrouble(err) {
			refusals++
		}
		if refusals == maxRefusals {
			*o = outcome{status: StatusFailure, failures: o.failures, err: &Error{Class: ClassBug, Message: "its end could not be recorded: " + err.Error()}}
			inFinish, events = nil, step.refused(events) // any of this may be what was refused
		}
		select {
		case <-time.After(wait):
		case <-stopping:
			hurry()
		}
	}
}

// databaseTrouble says whether what failed may work as it is, once the database is well again or has less to do.
func databaseTrouble(err error) bool {
	return db.Unavailable(err) || errors.Is(err, context.DeadlineExceeded)
}

func (e *Engine) finishStepTx(ctx context.Context, tx pgx.Tx, job *river.Job[stepArgs], step *Step, o *outcome, events []heldEvent, inFinish []func(context.Context, pgx.Tx) error) (*transition, error) {
	t, err := e.lockRun(ctx, tx, step.RunID)
	if err != nil {
		return nil, err
	}
	mine := t.step(step.Asset)
	if mine.Status != StatusStarted || int(mine.Attempt) != step.Attempt || mine.JobID == nil || *mine.JobID != job.ID {
		return nil, errFenced
	}
	var writes db.Pipeline
	q := sql.New(&writes)
	if t.run.Status == StatusCanceling {
		t.cancelOutcome(o)
	}
	fp := sql.FinishStepParams{RunID: step.RunID, Asset: step.Asset, Status: o.status}
	if terminal(o.status) {
		fp.EndedAt = &t.at
	}
	if o.err != nil {
		if fp.Error, err = json.Marshal(&Error{Class: o.err.Class, Message: db.CleanText(o.err.Message), Stack: db.CleanText(o.err.Stack)}); err != nil {
			return nil, err
		}
		fp.Error = json.RawMessage(db.CleanJSON(string(fp.Error)))
	}
	switch o.status {
	case StatusUpForRetry:
		fp.Failed, fp.NextAttemptAt = 1, ptr(t.at.Add(o.retryIn))
	case StatusFailure:
		fp.Failed = 1
	case StatusQueued:
		fp.Error = nil
	}
	if err := q.FinishStep(ctx, fp); err != nil {
		return nil, err
	}
	if err := e.lockPartitions(ctx, q, t); err != nil {
		return nil, err
	}
	if o.status != StatusQueued {
		step.endsAs(o)
		for _, f := range inFinish {
			if err := f(ctx, tx); err != nil {
				return nil, err
			}
		}
	}
	if t.events, err = step.unwritten(ctx, tx, events); err != nil {
		return nil, err
	}
	mine.Status = o.status
	t.stepEvent(step, o)
	if o.status == StatusSuccess {
		if err := e.materialize(ctx, q, t, step, o.metadata); err != nil {
			return nil, err
		}
		blockedBy, err := e.recordChecks(ctx, tx, q, t, step, e.partitionOf(step.Asset, t.run.Partition), o.checks)
		if err != nil {
			return nil, err
		}
		if blockedBy != "" {
			mine.BlockedBy = &blockedBy
			if err := q.BlockStep(ctx, sql.BlockStepParams{RunID: step.RunID, Asset: step.Asset, BlockedBy: &blockedBy}); err != nil {
				return nil, err
			}
		}
	}
	if err := e.stepEnded(ctx, q, t, mine); err != nil {
		return nil, err
	}
	if err := e.advance(ctx, tx, q, t); err != nil {
		return nil, err
	}
	if err := errors.Join(t.writeEvents(ctx, q), writes.Flush(ctx, tx)); err != nil {
		return nil, err
	}
	if o.status == StatusSuccess {
		if _, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job); err != nil {
			return nil, fmt.Errorf("complete the River job: %w", err)
		}
	}
	return t, nil
}

// lockPartitions locks the partitions of all steps of a run that have not ended: those that do now, and those that end
// with them. With a pipeline they are locked when it is flushed, after all other locks.
func (e *Engine) lockPartitions(ctx context.Context, q *sql.Queries, t *transition) error {
	var assets []string
	for i := range t.steps {
		if s := &t.steps[i]; !terminal(s.Status) && e.partitionOf(s.Asset, t.run.Partition) != nil {
			assets = append(assets, s.Asset)
		}
	}
	if len(assets) == 0 {
		return nil
	}
	return q.LockPartitions(ctx, sql.LockPartitionsParams{Assets: assets, Partition: *t.run.Partition})
}

// stepEnded notes what follows from a step's end beside the run: its places under limits are free, and its partition,
// which is locked, is no longer being materialized. A step that has not ended changes nothing.
func (e *Engine) stepEnded(ctx context.Context, q *sql.Queries, t *transition, s *sql.Step) error {
	if !terminal(s.Status) {
		return nil
	}
	if err := e.release(ctx, q, t.run.ID, s.Asset); err != nil {
		return err
	}
	partition := e.partitionOf(s.Asset, t.run.Partition)
	if partition == nil || s.Status == StatusSuccess {
		return nil
	}
	return q.PartitionNotMaterialized(ctx, sql.PartitionNotMaterializedParams{Asset: s.Asset, Partition: *partition, RunID: t.run.ID, Failed: s.Status == StatusFailure})
}

// ended is called after a transition was committed.
func (e *Engine) ended(t *transition) {
	e.observe.runEnded(t)
	e.signal(t)
	if len(e.cfg.Limits) > 0 {
		e.admitSoon()
	}
}

func (e *Engine) materialize(ctx context.Context, q *sql.Queries, t *transition, step *Step, metadata Metadata) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	if metadata == nil {
		metadata = Metadata{}
	}
	raw, err := json.Marshal(metadata)
	if err != nil {
		return fmt.Errorf("metadata of %s: %w", step.Asset, err)
	}
	raw = json.RawMessage(db.CleanJSON(string(raw)))
	partition := e.partitionOf(step.Asset, t.run.Partition)
	message := "materialized " + step.Asset
	if partition != nil {
		message += " " + *partition
		if err := q.PartitionMaterialized(ctx, sql.PartitionMaterializedParams{Asset: step.Asset, Partition: *partition, RunID: step.RunID, At: &t.at}); err != nil {
			return err
		}
	}
	if a := e.defs.byAsset[step.Asset]; a != nil && a.Freshness != nil {
		if err := q.ShareFreshness(ctx, step.Asset); err != nil {
			return err
		}
	}
	t.add(eventlog.Entry{Type: eventlog.Materialization, Level: eventlog.LevelInfo, Asset: step.Asset, Attempt: step.Attempt, Message: message,
		Data: map[string]any{"materialization_id": id, "partition": partition, "metadata": json.RawMessage(raw)}})
	return q.InsertMaterialization(ctx, sql.InsertMaterializationParams{
		ID: id, Asset: step.Asset, Partition: partition, RunID: step.RunID, Attempt: int32(step.Attempt), Metadata: raw, CreatedAt: t.at, //nolint:gosec // a small number
	})
}

// transition is a run under its row lock, and what is happening to it.
type transition struct {
	run    sql.Run
	steps  []sql.Step
	at     time.Time
	events []eventlog.Entry
	// finished says that the run ended in it.
	finished bool
}

// lockRun takes the run's row lock, which orders everything that happens to a run, and reads its steps after that.
func (e *Engine) lockRun(ctx context.Context, tx pgx.Tx, id uuid.UUID) (*transition, error) {
	run, steps, err := sql.LockRunAndSteps(ctx, tx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, &NotFoundError{Kind: "run", Name: id.String()}
	}
	return &transition{run: run, steps: steps, at: e.now()}, err
}

func (t *transition) step(asset string) *sql.Step {
	i := slices.IndexFunc(t.steps, func(s sql.Step) bool { return s.Asset == asset })
	if i < 0 {
		return &sql.Step{}
	}
	return &t.steps[i]
}

func (t *transition) add(ev eventlog.Entry) {
	ev.At = t.at
	t.events = append(t.events, ev)
}

func (t *transition) writeEvents(ctx context.Context, q *sql.Queries) error {
	return eventlog.Insert(ctx, q, t.run.ID, t.events)
}

// cancelOutcome makes the end of an attempt whose run is being canceled a cancel, whatever it was about to be: there will
// be no other attempt, and nobody waits for this one. What was done is done, though, and a panic is for people to see.
func (t *transition) cancelOutcome(o *outcome) {
	if o.canceled || o.status == StatusSuccess || o.err != nil && o.err.Class == ClassBug {
		return
	}
	why := &Error{Class: ClassCanceled, Message: "canceled"}
	if t.run.CanceledBy != nil {
		why.Message += " by " + *t.run.CanceledBy
	}
	if late := errorOf(t.run.Error); late != nil { // nobody asked for it
		why = &Error{Class: late.Class, Message: "the run " + late.Message}
	}
	if o.err != nil && o.status != StatusCanceled && o.status != StatusQueued {
		why.Message += "; the attempt had just failed: " + o.err.Message
	}
	o.status, o.err, o.canceled = StatusCanceled, why, true
}

func (t *transition) stepEvent(step *Step, o *outcome) {
	ev := eventlog.Entry{Asset: step.Asset, Attempt: step.Attempt, Level: eventlog.LevelInfo}
	switch o.status {
	case StatusSuccess:
		ev.Type, ev.Message = eventlog.StepSuccess, step.Asset+" succeeded"
	case StatusUpForRetry:
		ev.Type, ev.Level, ev.Message = eventlog.StepUpForRetry, eventlog.LevelWarn, fmt.Sprintf("%s failed, next attempt in %s: %s", step.Asset, o.retryIn.Round(time.Millisecond), o.err.Message)
		ev.Data = o.err
	case StatusFailure:
		ev.Type, ev.Level, ev.Message = eventlog.StepFailure, eventlog.LevelError, step.Asset+" failed: "+o.err.Message
		ev.Data = o.err
	case StatusCanceled:
		ev.Type, ev.Level, ev.Message = eventlog.StepCanceled, eventlog.LevelWarn, step.Asset+" canceled"
		if o.err != nil && o.err.Class != ClassCanceled {
			ev.Message += ": " + o.err.Message
		}
		ev.Data = o.err
	case StatusQueued:
		ev.Type, ev.Message = eventlog.StepRequeued, step.Asset+" handed back by a worker that stops"
	}
	t.add(ev)
}

// advance follows from the steps' present statuses: it queues what became ready, skips what never will be, and ends
// the run when its last step ended.
func (e *Engine) advance(ctx context.Context, tx pgx.Tx, q *sql.Queries, t *transition) error {
	if err := e.queueReady(ctx, tx, q, t); err != nil {
		return err
	}
	if err := e.skipBlocked(ctx, q, t); err != nil {
		return err
	}
	return e.endRun(ctx, tx, q, t)
}

// queueReady enqueues the steps for which everything they wait for has succeeded.
func (e *Engine) queueReady(ctx context.Context, tx pgx.Tx, q *sql.Queries, t *transition) error {
	var ready []string
	for i := range t.steps {
		s := &t.steps[i]
		if s.Status == StatusWaiting && !slices.ContainsFunc(s.Upstream, func(up string) bool { return t.step(up).Status != StatusSuccess || t.step(up).BlockedBy != nil }) {
			ready = append(ready, s.Asset)
			s.Status = StatusQueued
		}
	}
	if len(ready) == 0 {
		return nil
	}
	ids, err := e.enqueueSteps(ctx, tx, t.run.ID, int(t.run.Priority), tagsOf(t.run), ready, nil)
	if err != nil {
		return err
	}
	for _, name := range ready {
		set := sql.SetStepStatusParams{RunID: t.run.ID, Asset: name, Status: StatusQueued}
		if id, admitted := ids[name]; admitted {
			set.JobID = &id
		}
		if err := q.SetStepStatus(ctx, set); err != nil {
			return err
		}
	}
	return nil
}

// skipBlocked skips the steps below one that failed, was skipped or canceled. Steps are listed by name, not in
// dependency order, so it looks again until nothing changes.
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
			t.add(eventlog.Entry{Type: eventlog.StepSkipped, Level: eventlog.LevelWarn, Asset: s.Asset, Message: s.Asset + " skipped: " + why})
			if err := e.stepEnded(ctx, q, t, s); err != nil {
				return err
			}
			if err := q.SetStepStatus(ctx, sql.SetStepStatusParams{RunID: t.run.ID, Asset: s.Asset, Status: StatusSkipped, EndedAt: &t.at}); err != nil {
				return err
			}
		}
	}
	return nil
}

// endRun gives the run its final status once all steps have theirs.
func (e *Engine) endRun(ctx context.Context, tx pgx.Tx, q *sql.Queries, t *transition) error {
	var failed, canceled, blocked []string
	for _, s := range t.steps {
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
	p := sql.SetRunStatusParams{ID: t.run.ID, EndedAt: &t.at}
	ev := eventlog.Entry{Level: eventlog.LevelInfo}
	timedOut := errorOf(t.run.Error)
	switch {
	case timedOut != nil: // its time was over before its last step ended, whatever that came to
		p.Status, ev.Type, ev.Level, ev.Message = StatusFailure, eventlog.RunFailure, eventlog.LevelError, "run failed: "+timedOut.Message
	case len(canceled) > 0:
		p.Status, ev.Type, ev.Level, ev.Message = StatusCanceled, eventlog.RunCanceled, eventlog.LevelWarn, "run canceled"
		if t.run.CanceledBy != nil {
			ev.Message += " by " + *t.run.CanceledBy
		}
	case len(failed) > 0:
		p.Status, ev.Type, ev.Level, ev.Message = StatusFailure, eventlog.RunFailure, eventlog.LevelError, "run failed: "+strings.Join(failed, ", ")
		raw, err := json.Marshal(&Error{Class: ClassPermanent, Message: "failed: " + strings.Join(failed, ", ")})
		if err != nil {
			return err
		}
		p.Error = raw
	case len(blocked) > 0:
		p.Status, ev.Type, ev.Level, ev.Message = StatusFailure, eventlog.RunFailure, eventlog.LevelError, "run failed: held back: "+strings.Join(blocked, "; ")
		raw, err := json.Marshal(&Error{Class: ClassCheck, Message: "held back: " + strings.Join(blocked, "; ")})
		if err != nil {
			return err
		}
		p.Error = raw
	default:
		p.Status, ev.Type, ev.Message = StatusSuccess, eventlog.RunSuccess, "run succeeded"
	}
	t.run.Status, t.finished = p.Status, true
	t.add(ev)
	if err := q.SetRunStatus(ctx, p); err != nil {
		return err
	}
	return e.endBackfillRun(ctx, tx, q, t.run)
}

// tagsOf reads the tags of a run; they were written by this program.
func tagsOf(run sql.Run) map[string]string {
	var tags map[string]string
	_ = json.Unmarshal(run.Tags, &tags)
	return tags
}
