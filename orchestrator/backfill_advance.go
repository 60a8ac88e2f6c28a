package orchestrator

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// StartBackfill records a backfill and enqueues its first runs. replayed reports that the idempotency key was used
// before and that the backfill is the earlier one. ErrConflict if no partition is chosen.
func (e *Engine) StartBackfill(ctx context.Context, req BackfillRequest) (b *Backfill, replayed bool, err error) {
	p, err := e.PlanBackfill(ctx, req)
	if err != nil {
		return nil, false, err
	}
	if len(p.Keys) == 0 {
		return nil, false, &ConflictError{Reason: "there is nothing to backfill: no partition is chosen"}
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, false, err
	}
	if req.Tags == nil {
		req.Tags = map[string]string{}
	}
	tags, err := json.Marshal(req.Tags)
	if err != nil {
		return nil, false, err
	}
	config := req.Config
	if len(config) == 0 {
		config = json.RawMessage("{}")
	}
	created, owner := e.now(), id // owner of the idempotency key
	err = e.db.Tx(ctx, func(tx pgx.Tx) (err error) {
		owner, err = e.claimKey(ctx, tx, req.IdempotencyKey, req.Fingerprint, id, created)
		if err != nil || owner != id {
			return err
		}
		q := e.q.WithTx(tx)
		if err := q.InsertBackfill(ctx, sql.InsertBackfillParams{
			ID: id, Assets: p.Assets, Config: config, Tags: tags, CreatedBy: req.By, CreatedAt: created, Partitions: p.Keys,
			Concurrency: int32(p.Concurrency), Priority: int16(p.Priority), //nolint:gosec // bounded by the contract
		}); err != nil {
			return err
		}
		return e.enqueueBackfill(ctx, tx, id)
	})
	if err != nil {
		return nil, false, err
	}
	b, err = e.Backfill(ctx, owner)
	return b, owner != id, err
}

// backfillArgs are the arguments of the River job that starts a backfill's next runs.
type backfillArgs struct {
	BackfillID uuid.UUID `json:"backfill_id"`
}

// Kind implements river.JobArgs.
func (backfillArgs) Kind() string { return "advance_backfill" }

func (e *Engine) enqueueBackfill(ctx context.Context, tx pgx.Tx, id uuid.UUID) error {
	_, err := e.river.InsertTx(
		ctx, tx, backfillArgs{BackfillID: id}, &river.InsertOpts{Queue: queueBackfills, MaxAttempts: 5},
	)
	e.enqueuedOne()
	return err
}

type backfillWorker struct {
	river.WorkerDefaults[backfillArgs]
	engine *Engine
}

// Work implements river.Worker: it starts as many runs as the concurrency allows, and ends the backfill after the last.
func (w *backfillWorker) Work(ctx context.Context, job *river.Job[backfillArgs]) error {
	return w.engine.advanceBackfill(ctx, job.Args.BackfillID)
}

// advanceBackfill starts the next runs of a backfill, or ends it if none is left.
func (e *Engine) advanceBackfill(ctx context.Context, id uuid.UUID) error {
	var started []uuid.UUID
	err := e.db.Tx(ctx, func(tx pgx.Tx) error {
		started = nil
		q := e.q.WithTx(tx)
		b, err := q.LockBackfill(ctx, id)
		if errors.Is(err, pgx.ErrNoRows) || (err == nil && b.EndedAt != nil) {
			return nil
		}
		if err != nil {
			return err
		}
		counts, err := backfillCounts(ctx, q, id)
		if err != nil {
			return err
		}
		if b.Status == StatusRunning && counts[StatusPending] > 0 {
			if started, err = e.startPartitions(ctx, tx, b, int(b.Concurrency)-counts[StatusRunning]); err != nil {
				return err
			}
			if counts, err = backfillCounts(ctx, q, id); err != nil {
				return err
			}
		}
		if counts[StatusRunning] > 0 || (counts[StatusPending] > 0 && b.Status != StatusCanceling) {
			return nil
		}
		end := StatusSuccess
		switch {
		case b.Status == StatusCanceling:
			end = StatusCanceled
		case counts[StatusFailure] > 0:
			end = StatusFailure
		case counts[StatusCanceled] > 0: // its runs were canceled one by one
			end = StatusCanceled
		}
		return q.SetBackfillStatus(ctx, sql.SetBackfillStatusParams{ID: id, Status: end, EndedAt: ptr(e.now())})
	})
	for _, id := range started {
		e.events.Wake(id)
	}
	return err
}

func backfillCounts(ctx context.Context, q *sql.Queries, id uuid.UUID) (map[string]int, error) {
	rows, err := q.CountBackfillPartitions(ctx, []uuid.UUID{id})
	counts := map[string]int{}
	for _, r := range rows {
		counts[r.Status] = int(r.N)
	}
	return counts, err
}

// startPartitions starts runs of the next n partitions of a locked backfill. A partition for which no run can be
// planned, because its definition changed or its key is gone, fails, and the others start.
func (e *Engine) startPartitions(ctx context.Context, tx pgx.Tx, b sql.Backfill, n int) ([]uuid.UUID, error) {
	if n <= 0 {
		return nil, nil
	}
	q := e.q.WithTx(tx)
	next, err := q.NextBackfillPartitions(
		ctx,
		sql.NextBackfillPartitionsParams{BackfillID: b.ID, Limit: int32(n)}, //nolint:gosec // a small number
	)
	if err != nil {
		return nil, err
	}
	var tags map[string]string
	if err := json.Unmarshal(b.Tags, &tags); err != nil {
		return nil, err
	}
	var plans []*plan
	sets := make([]sql.SetBackfillPartitionParams, len(next))
	of := map[*plan]*sql.SetBackfillPartitionParams{}
	for i, part := range next {
		sets[i] = sql.SetBackfillPartitionParams{BackfillID: b.ID, Ordinal: part.Ordinal, Status: StatusRunning}
		p, planErr := e.planRun(ctx, RunRequest{
			Assets: b.Assets, Config: b.Config, Partition: part.Partition, Tags: tags, Priority: int(b.Priority),
			Trigger: Trigger{Kind: "backfill", Name: b.ID.String()}, backfill: &b.ID,
		})
		switch {
		case planErr == nil:
			sets[i].RunID = &p.id
			plans = append(plans, p)
			of[p] = &sets[i]
		case refusal(planErr):
			sets[i].Status, sets[i].Error = StatusFailure, optional(planErr.Error())
		default:
			return nil, planErr // the database is at fault, not the partition
		}
	}
	// If the database refuses the run of one partition, the others start.
	err = e.startEachTx(ctx, tx, plans, func(p *plan, err error) {
		of[p].Status, of[p].Error, of[p].RunID = StatusFailure, optional(
			db.CleanText("its run could not be started: "+err.Error()),
		), nil
	})
	if err != nil {
		return nil, err
	}
	started := []uuid.UUID{}
	for _, set := range sets {
		if err := q.SetBackfillPartition(ctx, set); err != nil {
			return nil, err
		}
		if set.RunID != nil {
			started = append(started, *set.RunID)
		}
	}
	return started, nil
}

// endBackfillRun records the end of a backfill's run, in the transaction that ends the run, and has the next run
// started.
func (e *Engine) endBackfillRun(ctx context.Context, tx pgx.Tx, q *sql.Queries, run sql.Run) error {
	if run.BackfillID == nil {
		return nil
	}
	status := StatusFailure
	if run.Status == StatusSuccess || run.Status == StatusCanceled {
		status = run.Status
	}
	if err := q.EndBackfillPartition(ctx, sql.EndBackfillPartitionParams{RunID: &run.ID, Status: status}); err != nil {
		return err
	}
	return e.enqueueBackfill(ctx, tx, *run.BackfillID)
}

// advanceBackfills is a task of housekeeping: it advances backfills whose job was lost.
func (e *Engine) advanceBackfills(ctx context.Context) error {
	ids, err := e.q.ListIdleBackfills(ctx)
	if err != nil {
		return err
	}
	return eachRow(ctx, e, "advance backfills", ids, uuid.UUID.String, e.advanceBackfill)
}
