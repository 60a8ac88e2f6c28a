package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// Statuses of backfills that runs do not have. A partition of a backfill is pending, running, success, failure or
// canceled.
const (
	StatusRunning = "running"
	StatusPaused  = "paused"
	StatusPending = "pending"
)

// MaxBackfillPartitions is how many partitions one backfill may have.
const MaxBackfillPartitions = 20_000

// Backfill is the materialization of many partitions.
type Backfill struct {
	ID          uuid.UUID
	Assets      []string
	Status      string
	Concurrency int
	Priority    int
	Config      json.RawMessage
	Tags        map[string]string
	CreatedBy   string
	CreatedAt   time.Time
	EndedAt     *time.Time
	// Counts are the numbers of partitions by status.
	Counts map[string]int
	Total  int
	// NotStarted is how many of the canceled partitions never had a run.
	NotStarted int
}

// BackfillPartition is one partition of a backfill.
type BackfillPartition struct {
	Ordinal int
	Key     string
	Status  string
	RunID   *uuid.UUID
	Error   *string
}

// Backfill returns one backfill; ErrNotFound if there is none.
func (e *Engine) Backfill(ctx context.Context, id uuid.UUID) (*Backfill, error) {
	row, err := e.q.GetBackfill(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, &NotFoundError{Kind: "backfill", Name: id.String()}
	}
	if err != nil {
		return nil, err
	}
	all, err := e.withCounts(ctx, []sql.Backfill{row})
	if err != nil {
		return nil, err
	}
	return &all[0], nil
}

// Backfills lists backfills, newest first.
func (e *Engine) Backfills(ctx context.Context, status string, before *uuid.UUID, limit int) ([]Backfill, error) {
	rows, err := e.lists.ListBackfills(
		ctx,
		sql.ListBackfillsParams{
			Status: optional(status), Before: before, Limit: int32(limit), //nolint:gosec // bounded by the contract
		},
	)
	if err != nil {
		return nil, err
	}
	return e.withCounts(ctx, rows)
}

// OpenBackfills lists the backfills that have not ended, 50 at most.
func (e *Engine) OpenBackfills(ctx context.Context) ([]Backfill, error) {
	rows, err := e.q.ListOpenBackfills(ctx)
	if err != nil || len(rows) == 0 {
		return []Backfill{}, err
	}
	return e.withCounts(ctx, rows)
}

func (e *Engine) withCounts(ctx context.Context, rows []sql.Backfill) ([]Backfill, error) {
	counts, err := e.q.CountBackfillPartitions(ctx, each(rows, func(r sql.Backfill) uuid.UUID { return r.ID }))
	if err != nil {
		return nil, err
	}
	out := make([]Backfill, len(rows))
	for i, r := range rows {
		out[i] = Backfill{
			ID:          r.ID,
			Assets:      r.Assets,
			Status:      r.Status,
			Concurrency: int(r.Concurrency),
			Priority:    int(r.Priority),
			Config:      r.Config,
			CreatedBy:   r.CreatedBy,
			CreatedAt:   r.CreatedAt,
			EndedAt:     r.EndedAt,
			Counts:      map[string]int{},
		}
		if err := json.Unmarshal(r.Tags, &out[i].Tags); err != nil {
			return nil, fmt.Errorf("tags of backfill %s: %w", r.ID, err)
		}
		for _, c := range counts {
			if c.BackfillID == r.ID {
				out[i].Counts[c.Status] = int(c.N)
				out[i].Total += int(c.N)
				out[i].NotStarted += int(c.NotStarted)
			}
		}
	}
	return out, nil
}

// BackfillPartitions lists the partitions of a backfill in order, after an ordinal if it is given.
func (e *Engine) BackfillPartitions(
	ctx context.Context,
	id uuid.UUID,
	status string,
	after *int32,
	limit int,
) ([]BackfillPartition, error) {
	if _, err := e.Backfill(ctx, id); err != nil {
		return nil, err
	}
	rows, err := e.lists.ListBackfillPartitions(
		ctx,
		sql.ListBackfillPartitionsParams{
			BackfillID: id, Status: optional(status), After: after,
			Limit: int32(limit), //nolint:gosec // bounded by the contract
		},
	)
	return each(rows, func(r sql.BackfillPartition) BackfillPartition {
		return BackfillPartition{Ordinal: int(r.Ordinal), Key: r.Partition, Status: r.Status, RunID: r.RunID, Error: r.Error}
	}), err
}

// changeBackfill calls f with a backfill whose row is locked, and returns the backfill as it is afterwards.
func (e *Engine) changeBackfill(
	ctx context.Context,
	id uuid.UUID,
	f func(ctx context.Context, tx pgx.Tx, q *sql.Queries, b sql.Backfill) error,
) (*Backfill, error) {
	err := e.db.Tx(ctx, func(tx pgx.Tx) error {
		q := e.q.WithTx(tx)
		b, err := q.LockBackfill(ctx, id)
		if errors.Is(err, pgx.ErrNoRows) {
			return &NotFoundError{Kind: "backfill", Name: id.String()}
		}
		if err != nil {
			return err
		}
		return f(ctx, tx, q, b)
	})
	if err != nil {
		return nil, withContext(err, "change backfill %s", id)
	}
	return e.Backfill(ctx, id)
}

func backfillConflict(b sql.Backfill, wanted string) error {
	return &ConflictError{Reason: fmt.Sprintf("backfill %s is %s; only one that is %s can be", b.ID, b.Status, wanted)}
}

// PauseBackfill pauses a backfill: it starts no further run, and open runs continue. ErrConflict if it is not running.
func (e *Engine) PauseBackfill(ctx context.Context, id uuid.UUID) (*Backfill, error) {
	return e.changeBackfill(ctx, id, func(ctx context.Context, _ pgx.Tx, q *sql.Queries, b sql.Backfill) error {
		if b.Status == StatusPaused {
			return nil
		}
		if b.Status != StatusRunning {
			return backfillConflict(b, "running")
		}
		return q.SetBackfillStatus(ctx, sql.SetBackfillStatusParams{ID: id, Status: StatusPaused})
	})
}

// ResumeBackfill resumes a paused backfill. ErrConflict if it is not paused.
func (e *Engine) ResumeBackfill(ctx context.Context, id uuid.UUID) (*Backfill, error) {
	return e.changeBackfill(ctx, id, func(ctx context.Context, tx pgx.Tx, q *sql.Queries, b sql.Backfill) error {
		if b.Status == StatusRunning {
			return nil
		}
		if b.Status != StatusPaused {
			return backfillConflict(b, "paused")
		}
		return errors.Join(
			q.SetBackfillStatus(ctx, sql.SetBackfillStatusParams{ID: id, Status: StatusRunning}),
			e.enqueueBackfill(ctx, tx, id),
		)
	})
}

// CancelBackfill cancels the pending partitions and the open runs of a backfill. ErrConflict if the backfill has ended.
func (e *Engine) CancelBackfill(ctx context.Context, id uuid.UUID, by string) (*Backfill, error) {
	var running []uuid.UUID
	_, err := e.changeBackfill(ctx, id, func(ctx context.Context, tx pgx.Tx, q *sql.Queries, b sql.Backfill) error {
		if b.EndedAt != nil {
			return &ConflictError{Reason: fmt.Sprintf("backfill %s has ended already, as %s", id, b.Status)}
		}
		if err := errors.Join(
			q.SetBackfillStatus(ctx, sql.SetBackfillStatusParams{ID: id, Status: StatusCanceling}),
			q.CancelPendingPartitions(ctx, id),
			e.enqueueBackfill(ctx, tx, id),
		); err != nil {
			return err
		}
		var err error
		running, err = q.ListBackfillRuns(ctx, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, run := range running {
		if _, err := e.CancelRun(ctx, run, by); err != nil && !errors.Is(err, ErrConflict) {
			return nil, err
		}
	}
	return e.Backfill(ctx, id)
}

// RetryBackfill runs the failed and canceled partitions of a backfill that has ended again, as part of it.
func (e *Engine) RetryBackfill(ctx context.Context, id uuid.UUID) (*Backfill, error) {
	return e.changeBackfill(ctx, id, func(ctx context.Context, tx pgx.Tx, q *sql.Queries, b sql.Backfill) error {
		if b.EndedAt == nil {
			return &ConflictError{Reason: fmt.Sprintf("backfill %s is %s; only one that has ended can be retried", id, b.Status)}
		}
		n, err := q.ReopenBackfillPartitions(ctx, id)
		if err != nil {
			return err
		}
		if n == 0 {
			return &ConflictError{Reason: fmt.Sprintf("every partition of backfill %s succeeded: there is nothing to retry", id)}
		}
		return errors.Join(
			q.SetBackfillStatus(ctx, sql.SetBackfillStatusParams{ID: id, Status: StatusRunning}),
			e.enqueueBackfill(ctx, tx, id),
		)
	})
}
