package orchestrator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/runconfig"
)

// Run returns a run with its steps; ErrNotFound if there is none.
func (e *Engine) Run(ctx context.Context, id uuid.UUID) (*Run, error) {
	row, err := e.q.GetRun(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, &NotFoundError{Kind: "run", Name: id.String()}
	}
	if err != nil {
		return nil, err
	}
	steps, err := e.q.ListSteps(ctx, id)
	if err != nil {
		return nil, err
	}
	r, err := runOf(row)
	if err != nil {
		return nil, err
	}
	for _, s := range steps {
		r.Steps = append(r.Steps, stepOf(s))
	}
	return &r, nil
}

// Relatives are the runs that belong to a run.
type Relatives struct {
	// Chain has the runs of its chain of retries, oldest first: the first run, and those that retry it or one of its
	// retries. The run is one of them. A longer chain is cut to 50 runs before it and 50 from the first one on.
	Chain []RunReference
	// Previous and Next are the runs before and after it, of the same job, or, without a job, of the same assets.
	Previous, Next *uuid.UUID
}

// RunReference is a run, in short.
type RunReference struct {
	ID        uuid.UUID
	Status    string
	CreatedAt time.Time
}

// RelativesOf returns the runs that belong to a run.
func (e *Engine) RelativesOf(ctx context.Context, run *Run) (Relatives, error) {
	var r Relatives
	chain, err := e.q.RunChain(ctx, run.ID)
	if err != nil {
		return r, err
	}
	r.Chain = each(chain, func(row sql.RunChainRow) RunReference { return RunReference(row) })
	var near []uuid.UUID
	if run.Job != nil {
		near, err = e.q.NeighborsInJob(ctx, sql.NeighborsInJobParams{Job: run.Job, ID: run.ID})
	} else if len(run.Assets) > 0 {
		near, err = e.q.NeighborsOfAssets(ctx, sql.NeighborsOfAssetsParams{
			Asset: run.Assets[0], ID: run.ID, Assets: run.Assets,
		})
	}
	if err != nil {
		return r, err
	}
	for _, id := range near {
		if bytes.Compare(id[:], run.ID[:]) < 0 {
			r.Previous = &id
		} else {
			r.Next = &id
		}
	}
	return r, nil
}

// RunFilter filters a list of runs. An empty field does not filter.
type RunFilter struct {
	Status, Job, Asset, Partition string
	Statuses                      []string // any of these; nil: all
	Tags                          map[string]string
	Backfill                      *uuid.UUID
	CreatedAfter, CreatedBefore   time.Time
	// Before returns the runs older than this one.
	Before *uuid.UUID
	Limit  int
}

// Runs lists runs with their steps, newest first.
func (e *Engine) Runs(ctx context.Context, f RunFilter) ([]Run, error) {
	p := sql.ListRunsParams{
		Before: f.Before, Status: optional(f.Status), Statuses: f.Statuses, Job: optional(f.Job),
		Asset: optional(f.Asset), Partition: optional(f.Partition), BackfillID: f.Backfill,
		Limit: int32(f.Limit), //nolint:gosec // bounded by the contract
	}
	if len(f.Tags) > 0 {
		tags, err := json.Marshal(f.Tags)
		if err != nil {
			return nil, err
		}
		p.Tags = tags
	}
	if !f.CreatedAfter.IsZero() {
		p.CreatedAfter = &f.CreatedAfter
		floor := sql.FloorID(f.CreatedAfter)
		p.CreatedFloor = &floor
	}
	if !f.CreatedBefore.IsZero() {
		p.CreatedBefore = &f.CreatedBefore
		ceiling := sql.FloorID(f.CreatedBefore.Add(2 * time.Second)) // as far above
		p.CreatedCeiling = &ceiling
	}
	var rows []sql.Run
	var err error
	if p.Asset != nil {
		rows, err = e.lists.ListRunsOfAsset(ctx, sql.ListRunsOfAssetParams(p))
	} else {
		rows, err = e.lists.ListRuns(ctx, p)
	}
	if err != nil {
		return nil, err
	}
	runs := make([]Run, len(rows))
	ids := make([]uuid.UUID, len(rows))
	at := map[uuid.UUID]int{}
	for i, row := range rows {
		if runs[i], err = runOf(row); err != nil {
			return nil, err
		}
		ids[i], at[row.ID] = row.ID, i
	}
	steps, err := e.q.ListStepsOfRuns(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, s := range steps {
		r := &runs[at[s.RunID]]
		r.Steps = append(r.Steps, stepOf(s))
	}
	return runs, nil
}

// FollowRun calls emit with the events of a run after an id: first those that are stored, then each as it is written,
// in order and without gaps. It returns nil once the run has ended and all its events were given, and the error of ctx
// or emit otherwise. It calls emit without events every 15 s, so that a caller can keep a connection alive.
func (e *Engine) FollowRun(ctx context.Context, id uuid.UUID, after int64, emit func([]eventlog.Event) error) error {
	run, err := e.Run(ctx, id)
	if err != nil {
		return err
	}
	return e.events.FollowRun(ctx, id, after, run.EndedAt != nil, emit)
}

func runOf(row sql.Run) (Run, error) {
	r := Run{
		ID: row.ID, Job: row.Job, Assets: row.Assets, Partition: row.Partition,
		Status: row.Status, TriggerKind: row.TriggerKind, TriggerName: row.TriggerName,
		CreatedAt: row.CreatedAt, StartedAt: row.StartedAt, EndedAt: row.EndedAt,
		CanceledBy: row.CanceledBy, ParentRunID: row.ParentRunID,
		Error: errorOf(row.Error), Steps: []RunStep{}, Priority: int(row.Priority), BackfillID: row.BackfillID,
	}
	if err := json.Unmarshal(row.Tags, &r.Tags); err != nil {
		return r, fmt.Errorf("tags of run %s: %w", row.ID, err)
	}
	var config map[string]json.RawMessage
	if err := json.Unmarshal(row.Config, &config); err != nil {
		return r, fmt.Errorf("config of run %s: %w", row.ID, err)
	}
	r.Config = runconfig.Present(row.Assets, config)
	return r, nil
}

func stepOf(row sql.Step) RunStep {
	return RunStep{
		Asset: row.Asset, Upstream: row.Upstream, Status: row.Status,
		Attempt: int(row.Attempt), StartedAt: row.StartedAt, EndedAt: row.EndedAt,
		NextAttemptAt: row.NextAttemptAt, Error: errorOf(row.Error), BlockedBy: row.BlockedBy,
	}
}

func errorOf(raw json.RawMessage) *Error {
	if len(raw) == 0 {
		return nil
	}
	var e Error
	if err := json.Unmarshal(raw, &e); err != nil {
		return &Error{Message: string(raw)}
	}
	return &e
}

func each[A, B any](in []A, f func(A) B) []B {
	out := make([]B, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}
