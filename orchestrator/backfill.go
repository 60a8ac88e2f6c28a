package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/runconfig"
)

// Statuses of backfills that runs do not have. A partition of a backfill is pending, running, success, failure or canceled.
const (
	StatusRunning = "running"
	StatusPaused  = "paused"
	StatusPending = "pending"
)

// MaxBackfillPartitions is how many partitions one backfill may have.
const MaxBackfillPartitions = 20_000

// BackfillRequest asks for the materialization of partitions, one run for each.
type BackfillRequest struct {
	// Assets are what each run materializes; those that are partitioned must share their set.
	Assets []string
	// Selection is how Assets were chosen, if they were not named one by one. What is wrong with them is wrong with it.
	Selection string
	// Keys are the partitions; without them and a range, all there are.
	Keys []string
	// From and To are the first and the last partition of a range, in the order of the set.
	From, To string
	// Only is empty, PartitionMissing or PartitionFailed: of the partitions chosen, those that stand so.
	Only string
	// Concurrency is how many runs there are at once; default 2.
	Concurrency int
	// Priority is that of the runs; default PriorityLater, so that they let others pass.
	Priority int
	Config   json.RawMessage
	Tags     map[string]string
	// By is who asks.
	By string
	// IdempotencyKey makes a repeated request give the first one's backfill; Fingerprint tells whether it is the same.
	IdempotencyKey string
	Fingerprint    []byte
}

// BackfillPlan is what a backfill would do.
type BackfillPlan struct {
	Assets      []string
	Set         *PartitionSet
	Keys        []string
	Concurrency int
	Priority    int
}

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
	Error       *string
	// Counts are the partitions by status.
	Counts map[string]int
	Total  int
	// NotStarted are those of the canceled that never had a run.
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

// PlanBackfill says what a backfill would do, and does nothing.
func (e *Engine) PlanBackfill(ctx context.Context, req BackfillRequest) (*BackfillPlan, error) {
	p := &BackfillPlan{Concurrency: req.Concurrency, Priority: req.Priority}
	if p.Concurrency == 0 {
		p.Concurrency = 2
	}
	if p.Priority == 0 {
		p.Priority = PriorityLater
	}
	for _, a := range e.defs.assets {
		if slices.Contains(req.Assets, a.Name) {
			p.Assets = append(p.Assets, a.Name)
		}
	}
	for _, name := range req.Assets {
		if _, err := e.defs.Asset(name); err != nil {
			return nil, err
		}
	}
	err := checkTags(req.Tags)
	if err != nil {
		return nil, err
	}
	if p.Set, err = e.defs.partitionSet("/assets", p.Assets); err != nil {
		return nil, req.blame(err)
	}
	if p.Set == nil {
		return nil, req.blame(invalidRequest("/assets", "none of %s is partitioned: there is nothing to backfill", strings.Join(p.Assets, ", ")))
	}
	all, err := e.Partitions(ctx, p.Set)
	if err != nil {
		return nil, err
	}
	if p.Keys, err = e.chooseKeys(ctx, p.Set, all, req); err != nil {
		return nil, err
	}
	if req.Only != "" {
		if p.Keys, err = e.keysThatStand(ctx, p.Assets, p.Keys, req.Only); err != nil {
			return nil, err
		}
	}
	if len(p.Keys) > MaxBackfillPartitions {
		return nil, req.blame(invalidRequest("/partition", "%d partitions are chosen: want %d at most", len(p.Keys), MaxBackfillPartitions))
	}
	if len(p.Keys) > 0 { // what is wrong with the config is wrong with that of the first run
		if _, err := e.planRun(ctx, RunRequest{Assets: p.Assets, Config: req.Config, Partition: p.Keys[0], Tags: req.Tags}); err != nil {
			return nil, req.blame(err)
		}
	}
	return p, nil
}

// blame has an error be about what the request holds: the assets were chosen by a selection perhaps, and the partition of
// a run by a list, a range or nothing.
func (r BackfillRequest) blame(err error) error {
	var wrong *RequestError
	if !errors.As(err, &wrong) {
		return err
	}
	out := &RequestError{Fields: slices.Clone(wrong.Fields)}
	for i := range out.Fields {
		f := &out.Fields[i]
		if f.Pointer == "/partition" {
			switch {
			case len(r.Keys) > 0:
				f.Pointer = "/partitions"
			case r.From != "" || r.To != "":
				f.Pointer = "/range"
			default:
				f.Pointer = "/assets" // all of their partitions
			}
		}
		if f.Pointer == "/assets" && r.Selection != "" {
			f.Pointer, f.Detail = "/selection", fmt.Sprintf("%q: %s", r.Selection, f.Detail)
		}
	}
	return out
}

func (e *Engine) chooseKeys(ctx context.Context, set *PartitionSet, all []string, req BackfillRequest) ([]string, error) {
	if len(req.Keys) > 0 {
		at := make(map[string]int, len(all))
		for i, k := range all {
			at[k] = i
		}
		chosen := map[int]bool{}
		for i, k := range req.Keys {
			j, ok := at[k]
			if !ok {
				return nil, e.noPartition(ctx, fmt.Sprintf("/partitions/%d", i), set, k)
			}
			chosen[j] = true
		}
		return each(slices.Sorted(maps.Keys(chosen)), func(i int) string { return all[i] }), nil
	}
	first, last := 0, len(all)-1
	if req.From != "" {
		if first = slices.Index(all, req.From); first < 0 {
			return nil, e.noPartition(ctx, "/range/from", set, req.From)
		}
	}
	if req.To != "" {
		if last = slices.Index(all, req.To); last < 0 {
			return nil, e.noPartition(ctx, "/range/to", set, req.To)
		}
	}
	if first > last && len(all) > 0 {
		return nil, invalidRequest("/range", "%q comes after %q: want the earlier one first", req.From, req.To)
	}
	return all[first : last+1], nil
}

// keysThatStand keeps the partitions of which any of the assets stands so.
func (e *Engine) keysThatStand(ctx context.Context, assets, keys []string, status string) ([]string, error) {
	want := map[string]bool{}
	for _, name := range assets {
		if e.defs.byAsset[name].Partitions == nil {
			continue
		}
		states, err := e.PartitionStates(ctx, name)
		if err != nil {
			return nil, err
		}
		for _, s := range states {
			if s.Status == status {
				want[s.Key] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return !want[k] }), nil
}

// StartBackfill records a backfill and begins with it. ErrConflict if there is nothing to do.
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
	key, earlier := &plan{id: id, created: e.now()}, id
	err = e.db.Tx(ctx, func(tx pgx.Tx) error {
		var err error
		if earlier, replayed, err = e.claimKey(ctx, tx, RunRequest{IdempotencyKey: req.IdempotencyKey, Fingerprint: req.Fingerprint}, key); err != nil || replayed {
			return err
		}
		q := e.q.WithTx(tx)
		if err := q.InsertBackfill(ctx, sql.InsertBackfillParams{
			ID: id, Assets: p.Assets, Concurrency: int32(p.Concurrency), Priority: int16(p.Priority), Config: config, Tags: tags, CreatedBy: req.By, CreatedAt: key.created, Partitions: p.Keys, //nolint:gosec // bounded by the contract
		}); err != nil {
			return err
		}
		return e.enqueueBackfill(ctx, tx, id)
	})
	if err != nil {
		return nil, false, err
	}
	b, err = e.Backfill(ctx, earlier)
	return b, replayed, err
}

// backfillArgs are the arguments of the River job that starts a backfill's next runs.
type backfillArgs struct {
	BackfillID uuid.UUID `json:"backfill_id"`
}

// Kind implements river.JobArgs.
func (backfillArgs) Kind() string { return "advance_backfill" }

func (e *Engine) enqueueBackfill(ctx context.Context, tx pgx.Tx, id uuid.UUID) error {
	_, err := e.river.InsertTx(ctx, tx, backfillArgs{BackfillID: id}, &river.InsertOpts{Queue: queueBackfills, MaxAttempts: 5})
	return err
}

type backfillWorker struct {
	river.WorkerDefaults[backfillArgs]
	engine *Engine
}

// Work implements river.Worker: it starts as many runs as there may be more, and ends the backfill after the last one.
func (w *backfillWorker) Work(ctx context.Context, job *river.Job[backfillArgs]) error {
	return w.engine.advanceBackfill(ctx, job.Args.BackfillID)
}

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
		case counts[StatusCanceled] > 0: // runs of it, one by one
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

// startPartitions starts runs of the next partitions of a locked backfill. A partition for which no run can be made,
// because its definition changed or its key is gone, fails by itself.
func (e *Engine) startPartitions(ctx context.Context, tx pgx.Tx, b sql.Backfill, n int) ([]uuid.UUID, error) {
	if n <= 0 {
		return nil, nil
	}
	q := e.q.WithTx(tx)
	next, err := q.NextBackfillPartitions(ctx, sql.NextBackfillPartitionsParams{BackfillID: b.ID, MaxRows: int32(n)}) //nolint:gosec // a small number
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
			Assets: b.Assets, Config: b.Config, Partition: part.Partition, Tags: tags, Priority: int(b.Priority), Trigger: Trigger{Kind: "backfill", Name: b.ID.String()}, backfill: &b.ID,
		})
		switch {
		case planErr == nil:
			sets[i].RunID = &p.id
			plans = append(plans, p)
			of[p] = &sets[i]
		case refusal(planErr):
			sets[i].Status, sets[i].Error = StatusFailure, optional(planErr.Error())
		default:
			return nil, planErr // the database's trouble, not the partition's
		}
	}
	// What the database refuses of one partition is no reason to keep the others from running.
	err = e.startEachTx(ctx, tx, plans, func(p *plan, err error) {
		of[p].Status, of[p].Error, of[p].RunID = StatusFailure, optional(db.CleanText("its run could not be started: "+err.Error())), nil
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

// refusal says whether an error is about what was asked for, which would be refused the next time too.
func refusal(err error) bool {
	var (
		config  *runconfig.InvalidError
		request *RequestError
	)
	return errors.As(err, &config) || errors.As(err, &request) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrConflict)
}

// endBackfillRun notes the end of a backfill's run, in the transaction that ends the run, and has the next one started.
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

// advanceBackfills is housekeeping: it goes on with backfills whose job got lost.
func (e *Engine) advanceBackfills(ctx context.Context) error {
	ids, err := e.q.ListIdleBackfills(ctx)
	if err != nil {
		return err
	}
	return eachRow(ctx, e, "go on with backfills", ids, uuid.UUID.String, e.advanceBackfill)
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
	rows, err := e.lists.ListBackfills(ctx, sql.ListBackfillsParams{Status: optional(status), Before: before, MaxRows: int32(limit)}) //nolint:gosec // bounded by the contract
	if err != nil {
		return nil, err
	}
	return e.withCounts(ctx, rows)
}

// OpenBackfills lists those that have not ended, 50 at most.
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
		out[i] = Backfill{ID: r.ID, Assets: r.Assets, Status: r.Status, Concurrency: int(r.Concurrency), Priority: int(r.Priority), Config: r.Config, CreatedBy: r.CreatedBy,
			CreatedAt: r.CreatedAt, EndedAt: r.EndedAt, Error: r.Error, Counts: map[string]int{}}
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
func (e *Engine) BackfillPartitions(ctx context.Context, id uuid.UUID, status string, after *int32, limit int) ([]BackfillPartition, error) {
	if _, err := e.Backfill(ctx, id); err != nil {
		return nil, err
	}
	rows, err := e.lists.ListBackfillPartitions(ctx, sql.ListBackfillPartitionsParams{BackfillID: id, Status: optional(status), After: after, MaxRows: int32(limit)}) //nolint:gosec // bounded by the contract
	return each(rows, func(r sql.BackfillPartition) BackfillPartition {
		return BackfillPartition{Ordinal: int(r.Ordinal), Key: r.Partition, Status: r.Status, RunID: r.RunID, Error: r.Error}
	}), err
}

// changeBackfill does something to a backfill under its lock.
func (e *Engine) changeBackfill(ctx context.Context, id uuid.UUID, f func(ctx context.Context, tx pgx.Tx, q *sql.Queries, b sql.Backfill) error) (*Backfill, error) {
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
		return nil, err
	}
	return e.Backfill(ctx, id)
}

func backfillConflict(b sql.Backfill, wanted string) error {
	return &ConflictError{Reason: fmt.Sprintf("backfill %s is %s; only one that is %s can be", b.ID, b.Status, wanted)}
}

// PauseBackfill starts no further run of a backfill; those that run go on. ErrConflict if it is not running.
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

// ResumeBackfill goes on with a paused backfill. ErrConflict if it is not paused.
func (e *Engine) ResumeBackfill(ctx context.Context, id uuid.UUID) (*Backfill, error) {
	return e.changeBackfill(ctx, id, func(ctx context.Context, tx pgx.Tx, q *sql.Queries, b sql.Backfill) error {
		if b.Status == StatusRunning {
			return nil
		}
		if b.Status != StatusPaused {
			return backfillConflict(b, "paused")
		}
		return errors.Join(q.SetBackfillStatus(ctx, sql.SetBackfillStatusParams{ID: id, Status: StatusRunning}), e.enqueueBackfill(ctx, tx, id))
	})
}

// CancelBackfill cancels what is pending and the runs of what is running. ErrConflict if the backfill has ended.
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

// RetryBackfill has the failed and canceled partitions of a backfill that has ended done again, as part of it.
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
		return errors.Join(q.SetBackfillStatus(ctx, sql.SetBackfillStatusParams{ID: id, Status: StatusRunning}), e.enqueueBackfill(ctx, tx, id))
	})
}
