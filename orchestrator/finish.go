package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// errFenced means that the step belongs to another attempt now.
var errFenced = errors.New("the step belongs to another attempt")

// How long recording the end of an attempt is tried: finishFor, or finishForStopping once the process stops, with at
// most finishTry for each try. After that the step is done again.
const (
	finishFor         = 2 * time.Minute
	finishForStopping = 3 * time.Second
	finishTry         = 10 * time.Second
)

// maxRefusals is how often the database may refuse an end because of its content.
const maxRefusals = 3

// finishStep records the end of an attempt in one transaction. If Postgres cannot (it is unavailable, its disk or its
// connections are used up, another transaction conflicts), it tries again for two minutes. An end that is refused
// because of its content (metadata that Postgres cannot store, an InFinish that fails) three times is recorded as a
// failure.
func (e *Engine) finishStep(ctx context.Context, job *river.Job[stepArgs], step *Step, o *outcome) error {
	ctx = context.WithoutCancel(ctx)
	deadline, stopping := time.Now().Add(finishFor), e.Stopping()
	hurry := func() {
		if soon := time.Now().Add(finishForStopping); soon.Before(deadline) {
			deadline = soon
		}
		stopping = nil
	}
	end := &attemptEnd{job: job, step: step, outcome: o, trace: e.observe.jobMetadata(ctx)}
	end.events, end.inFinish = step.end()
	if e.mayShare(end) {
		if s := e.shareFinish(end); !s.alone {
			return s.err
		}
	}
	refusals := 0
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		if stopping != nil && e.stopping.Load() {
			hurry()
		}
		try, cancel := context.WithTimeout(ctx, finishTry)
		var t *transition
		err := e.db.Tx(try, func(tx pgx.Tx) (err error) {
			t, err = e.finishStepTx(try, tx, end)
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
		e.log.Warn("recording the end of a step failed; it is tried again", "run_id", step.RunID, "asset", step.Asset,
			"error", err)
		if !databaseTrouble(err) {
			refusals++
		}
		if refusals == maxRefusals {
			*o = outcome{status: StatusFailure, failures: o.failures, err: &Error{
				Class: ClassBug, Message: "its end could not be recorded: " + err.Error(),
			}}
			end.inFinish, end.events = nil, step.refused(end.events) // any of them may be what was refused
		}
		select {
		case <-time.After(wait):
		case <-stopping:
			hurry()
		}
	}
}

// attemptEnd is the end of an attempt that finishStepTx records: what the step reported and has not been written, and
// the functions given to InFinish.
type attemptEnd struct {
	job      *river.Job[stepArgs]
	step     *Step
	outcome  *outcome
	events   []heldEvent
	inFinish []func(context.Context, pgx.Tx) error
	trace    []byte // metadata of the jobs of steps that follow from it
}

// finishStepTx records the end of an attempt, and what follows from it, in one transaction.
func (e *Engine) finishStepTx(ctx context.Context, tx pgx.Tx, end *attemptEnd) (*transition, error) {
	step, o := end.step, end.outcome
	t, err := e.lockRun(ctx, tx, step.RunID)
	if err != nil {
		return nil, err
	}
	if t.hasRecorded(end) {
		t.tellAgain(end)
		return t, nil
	}
	if !t.has(end) {
		return nil, errFenced
	}
	mine := t.step(step.Asset)
	var writes db.Pipeline
	q := sql.New(&writes)
	if t.run.Status == StatusCanceling {
		t.cancelOutcome(o)
	}
	row, err := t.stepRow(step, o)
	if err != nil {
		return nil, err
	}
	if err := q.FinishStep(ctx, row); err != nil {
		return nil, err
	}
	if err := e.lockPartitions(ctx, q, t); err != nil {
		return nil, err
	}
	if o.status != StatusQueued {
		step.endsAs(o)
		for _, f := range end.inFinish {
			if err := callInFinish(ctx, tx, f); err != nil {
				return nil, err
			}
		}
	}
	if t.events, err = step.unwritten(ctx, tx, end.events); err != nil {
		return nil, err
	}
	mine.Status = o.status
	t.stepEvent(step, o)
	if o.status == StatusSuccess {
		if err := e.recordSuccess(ctx, tx, q, t, step, o); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(e.stepEnded(ctx, q, t, mine), e.advance(ctx, tx, q, t)); err != nil {
		return nil, err
	}
	if err := errors.Join(t.writeEvents(ctx, q), writes.Flush(ctx, tx)); err != nil {
		return nil, err
	}
	if o.status == StatusSuccess {
		if _, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, end.job); err != nil {
			return nil, fmt.Errorf("complete the River job: %w", err)
		}
	}
	return t, nil
}

// has reports whether the step still belongs to the attempt that ends.
func (t *transition) has(end *attemptEnd) bool {
	s := t.step(end.step.Asset)
	return s.Status == StatusStarted && int(s.Attempt) == end.step.Attempt && s.JobID != nil && *s.JobID == end.job.ID
}

// hasRecorded reports whether the end, a success, was recorded by a transaction whose commit was not answered. Other
// ends may be recorded by other processes, too.
func (t *transition) hasRecorded(end *attemptEnd) bool {
	s := t.step(end.step.Asset)
	return end.outcome.status == StatusSuccess && s.Status == StatusSuccess && int(s.Attempt) == end.step.Attempt &&
		s.JobID != nil && *s.JobID == end.job.ID
}

// tellAgain has the transition, which writes nothing, tell of a recorded end as the one that recorded it would have.
func (t *transition) tellAgain(end *attemptEnd) {
	s := t.step(end.step.Asset)
	t.add(eventlog.Entry{Type: eventlog.Materialization, Asset: s.Asset})
	t.finished = t.run.EndedAt != nil && s.EndedAt != nil && t.run.EndedAt.Equal(*s.EndedAt)
}

// callInFinish calls a function that InFinish was given. It returns a panic as an error.
func callInFinish(ctx context.Context, tx pgx.Tx, f func(context.Context, pgx.Tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicked{value: p, stack: string(debug.Stack())}
		}
	}()
	return f(ctx, tx)
}

// stepRow returns what is written to a step's row at the end of an attempt.
func (t *transition) stepRow(step *Step, o *outcome) (row sql.FinishStepParams, err error) {
	row = sql.FinishStepParams{RunID: step.RunID, Asset: step.Asset, Status: o.status}
	if terminal(o.status) {
		row.EndedAt = &t.at
	}
	if o.err != nil && o.status != StatusQueued {
		raw, err := json.Marshal(&Error{
			Class: o.err.Class, Message: db.CleanText(o.err.Message), Stack: db.CleanText(o.err.Stack),
		})
		if err != nil {
			return row, fmt.Errorf("error of %s: %w", step.Asset, err)
		}
		row.Error = json.RawMessage(db.CleanJSON(string(raw)))
	}
	switch o.status {
	case StatusUpForRetry:
		row.Failed, row.NextAttemptAt = 1, ptr(t.at.Add(o.retryIn))
	case StatusFailure:
		row.Failed = 1
	}
	return row, nil
}

// recordSuccess records the materialization and the check results of a step that succeeded.
func (e *Engine) recordSuccess(
	ctx context.Context, tx pgx.Tx, q *sql.Queries, t *transition, step *Step, o *outcome,
) error {
	if err := e.materialize(ctx, q, t, step, o.metadata); err != nil {
		return err
	}
	blockedBy, err := e.recordChecks(ctx, tx, q, t, step, o.checks)
	if err != nil || blockedBy == "" {
		return err
	}
	t.step(step.Asset).BlockedBy = &blockedBy
	return q.BlockStep(ctx, sql.BlockStepParams{RunID: step.RunID, Asset: step.Asset, BlockedBy: &blockedBy})
}

// lockPartitions locks the partitions of all steps of a run that have not ended, because any of them may end in this
// transaction. On a pipeline it locks them when the pipeline is flushed, after all other locks.
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

// stepEnded releases the places under limits of a step that has ended, and marks its partition, which is locked, as no
// longer being materialized. It does nothing for a step that has not ended.
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
	return q.PartitionNotMaterialized(ctx, sql.PartitionNotMaterializedParams{
		Asset:     s.Asset,
		Partition: *partition,
		RunID:     t.run.ID,
		Failed:    s.Status == StatusFailure,
	})
}

// ended counts and signals a transition. Call it after the commit.
func (e *Engine) ended(t *transition) {
	e.observe.runEnded(t)
	e.signal(t)
	if len(e.cfg.Limits) > 0 {
		e.placesFreed()
	}
}

// materialize records a materialization, with its event and the state of its partition.
func (e *Engine) materialize(
	ctx context.Context, q *sql.Queries, t *transition, step *Step, metadata json.RawMessage,
) error {
	partition := e.partitionOf(step.Asset, t.run.Partition)
	row, err := t.materialization(step, metadata, partition)
	if err != nil {
		return err
	}
	if partition != nil {
		if err := q.PartitionMaterialized(ctx, sql.PartitionMaterializedParams{
			Asset: step.Asset, Partition: *partition, RunID: step.RunID, At: &t.at,
		}); err != nil {
			return err
		}
	}
	if a := e.defs.byAsset[step.Asset]; a != nil && a.Freshness != nil {
		if err := q.ShareFreshness(ctx, []string{step.Asset}); err != nil {
			return err
		}
	}
	return q.InsertMaterialization(ctx, row)
}

// materialization returns the row of a materialization, and adds its event.
func (t *transition) materialization(
	step *Step, metadata json.RawMessage, partition *string,
) (row sql.InsertMaterializationParams, err error) {
	id, err := uuid.NewV7()
	if err != nil {
		return row, err
	}
	message := "materialized " + step.Asset
	if partition != nil {
		message += " " + *partition
	}
	t.add(eventlog.Entry{
		Type:    eventlog.Materialization,
		Level:   eventlog.LevelInfo,
		Asset:   step.Asset,
		Attempt: step.Attempt,
		Message: message,
		Data: eventlog.Data(map[string]any{
			"materialization_id": id, "partition": partition, "metadata": metadata,
		}),
	})
	return sql.InsertMaterializationParams{
		ID: id, Asset: step.Asset, Partition: partition, RunID: step.RunID,
		Attempt: int32(step.Attempt), Metadata: metadata, CreatedAt: t.at, //nolint:gosec // a small number
	}, nil
}
