package orchestrator

import (
	"cmp"
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

	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/runconfig"
)

// Statuses of runs and steps. Waiting, UpForRetry and Skipped are of steps only, Canceling of runs only.
const (
	StatusWaiting    = "waiting"
	StatusQueued     = "queued"
	StatusStarted    = "started"
	StatusUpForRetry = "up_for_retry"
	StatusSuccess    = "success"
	StatusFailure    = "failure"
	StatusSkipped    = "skipped"
	StatusCanceling  = "canceling"
	StatusCanceled   = "canceled"
)

func terminal(status string) bool {
	return status == StatusSuccess || status == StatusFailure || status == StatusSkipped || status == StatusCanceled
}

// Trigger is who or what started a run: kind "api", "cli", "schedule" or "retry", and a name where there is one.
type Trigger struct {
	Kind string
	Name string
}

// Run is one execution of a job or of chosen assets.
type Run struct {
	ID          uuid.UUID
	Job         *string
	Assets      []string
	Partition   *string
	Status      string
	TriggerKind string
	TriggerName *string
	// Config is in the shape in which it can be sent again.
	Config      json.RawMessage
	Tags        map[string]string
	CreatedAt   time.Time
	StartedAt   *time.Time
	EndedAt     *time.Time
	CanceledBy  *string
	Error       *Error
	ParentRunID *uuid.UUID
	Priority    int
	BackfillID  *uuid.UUID
	Steps       []RunStep
}

// RunStep is one asset in a run.
type RunStep struct {
	Asset         string
	Upstream      []string
	Status        string
	Attempt       int
	StartedAt     *time.Time
	EndedAt       *time.Time
	NextAttemptAt *time.Time
	Error         *Error
	// BlockedBy is the asset check that holds back what depends on the step.
	BlockedBy *string
}

// RunRequest asks for a run, either of Job or of Assets.
type RunRequest struct {
	Job       string
	Assets    []string
	Config    json.RawMessage
	Partition string
	Tags      map[string]string
	Trigger   Trigger
	// Priority is PriorityFirst to PriorityLast; default the job's, or PriorityDefault.
	Priority int
	// RunKey, in a sensor's request, makes it start a run once, ever.
	RunKey string
	// IdempotencyKey makes a repeated request give the first one's run; Fingerprint tells whether it is the same.
	IdempotencyKey string
	Fingerprint    []byte

	parent   *uuid.UUID
	backfill *uuid.UUID
	resolved map[string]json.RawMessage // complete already
	timeout  *time.Duration             // nil: the job's
}

// StartRun records a run with its steps and enqueues those that wait for nothing, all in one transaction. replayed
// says that the idempotency key was seen before and that the run is the earlier one. A config that is wrong gives a
// ConfigError, and no run.
func (e *Engine) StartRun(ctx context.Context, req RunRequest) (run *Run, replayed bool, err error) {
	if req.parent == nil { // the tags of a run that is retried may be older than the rule
		if err := checkTags(req.Tags); err != nil {
			return nil, false, err
		}
	}
	p, err := e.planRun(ctx, req)
	if err != nil {
		return nil, false, err
	}
	return e.record(ctx, p, func(pgx.Tx) error { return nil })
}

// record writes a planned run down, together with what else belongs to its start, unless its idempotency key was used.
func (e *Engine) record(ctx context.Context, p *plan, with func(pgx.Tx) error) (run *Run, replayed bool, err error) {
	var earlier uuid.UUID
	err = e.db.Tx(ctx, func(tx pgx.Tx) error {
		if earlier, replayed, err = e.claimKey(ctx, tx, p.req, p); err != nil || replayed {
			return err
		}
		if err := with(tx); err != nil {
			return err
		}
		return e.startRunsTx(ctx, tx, p)
	})
	if err != nil {
		return nil, false, err
	}
	if replayed {
		run, err = e.Run(ctx, earlier)
		return run, true, err
	}
	e.events.Wake(p.id)
	return p.run(), false, nil
}

// plan is a run that has been checked and can be written down.
type plan struct {
	id      uuid.UUID
	req     RunRequest
	assets  []string
	config  map[string]json.RawMessage
	created time.Time
	steps   []sql.Step
}

func (e *Engine) planRun(ctx context.Context, req RunRequest) (*plan, error) {
	p := &plan{req: req, created: e.now()}
	var base map[string]map[string]any
	names := req.Assets
	if req.Job != "" {
		j, err := e.defs.Job(req.Job)
		if err != nil {
			return nil, err
		}
		if names == nil {
			names = j.Assets
		}
		base = j.Config
		if p.req.timeout == nil {
			p.req.timeout = &j.Timeout
		}
		if p.req.Priority == 0 {
			p.req.Priority = j.Priority
		}
		if req.resolved == nil { // else the tags are complete too
			p.req.Tags = maps.Clone(j.Tags)
			if p.req.Tags == nil {
				p.req.Tags = map[string]string{}
			}
			maps.Copy(p.req.Tags, req.Tags)
		}
	}
	if p.req.Tags == nil {
		p.req.Tags = map[string]string{}
	}
	if p.req.Priority == 0 {
		p.req.Priority = PriorityDefault
	}
	if p.req.timeout == nil {
		p.req.timeout = new(time.Duration)
	}
	for _, name := range names {
		if _, err := e.defs.Asset(name); err != nil {
			return nil, err
		}
	}
	for _, a := range e.defs.assets { // dependency order, each once
		if slices.Contains(names, a.Name) {
			p.assets = append(p.assets, a.Name)
		}
	}
	if len(p.assets) == 0 {
		return nil, &ConflictError{Reason: "the run has no assets"}
	}
	fixed, err := e.checkPartition(ctx, p.assets, req.Partition)
	if err != nil {
		return nil, err
	}
	if p.config = req.resolved; p.config == nil {
		if p.config, err = e.defs.resolveConfig(p.assets, base, fixed, req.Config); err != nil {
			return nil, err
		}
	}
	if req.Partition == "" {
		if p.req.Partition, err = e.partitionByConfig(ctx, p.assets, p.config); err != nil {
			return nil, err
		}
	}
	if p.id, err = uuid.NewV7(); err != nil {
		return nil, err
	}
	for _, name := range p.assets {
		step := sql.Step{RunID: p.id, Asset: name, Status: StatusQueued, Upstream: []string{}}
		for _, dep := range e.defs.byAsset[name].Deps {
			if slices.Contains(p.assets, dep) {
				step.Upstream = append(step.Upstream, dep)
				step.Status = StatusWaiting
			}
		}
		p.steps = append(p.steps, step)
	}
	return p, nil
}

// checkPartition makes sure that the assets can be materialized for a partition, or without one, and gives the config
// fields that it decides.
func (e *Engine) checkPartition(ctx context.Context, assets []string, key string) (map[string]map[string]any, error) {
	if key == "" {
		for _, name := range assets {
			if a := e.defs.byAsset[name]; a.PartitionRequired {
				return nil, invalidRequest("/partition", "is required: %s is materialized by %s", name, a.Partitions.Name)
			}
		}
		return nil, nil
	}
	set, err := e.defs.partitionSet("/partition", assets)
	if err != nil {
		return nil, err
	}
	if set == nil {
		return nil, invalidRequest("/partition", "%q: none of %s is partitioned", key, strings.Join(assets, ", "))
	}
	has, err := e.hasPartition(ctx, set, key)
	if err != nil {
		return nil, err
	}
	if !has {
		return nil, e.noPartition(ctx, "/partition", set, key)
	}
	fixed := map[string]map[string]any{}
	for _, name := range assets {
		if a := e.defs.byAsset[name]; a.PartitionConfig != nil {
			if fixed[name], err = a.PartitionConfig(key); err != nil {
				return nil, invalidRequest("/partition", "%q: %v", key, err)
			}
		}
	}
	return fixed, nil
}

// partitionOf is the partition of a run that is an asset's too.
func (e *Engine) partitionOf(asset string, partition *string) *string {
	if a := e.defs.byAsset[asset]; partition == nil || a == nil || a.Partitions == nil {
		return nil
	}
	return partition
}

// claimKey takes the idempotency key for what is planned, or finds the earlier one that has it.
func (e *Engine) claimKey(ctx context.Context, tx pgx.Tx, req RunRequest, p *plan) (earlier uuid.UUID, replayed bool, err error) {
	if req.IdempotencyKey == "" {
		return p.id, false, nil
	}
	q := e.q.WithTx(tx)
	n, err := q.InsertIdempotencyKey(ctx, sql.InsertIdempotencyKeyParams{Key: req.IdempotencyKey, Fingerprint: req.Fingerprint, RunID: p.id, CreatedAt: p.created})
	if err != nil || n == 1 {
		return p.id, false, err
	}
	first, err := q.GetIdempotencyKey(ctx, req.IdempotencyKey)
	if err != nil {
		return p.id, false, err
	}
	if string(first.Fingerprint) != string(req.Fingerprint) {
		return p.id, false, ErrIdempotencyKeyReused
	}
	return first.RunID, true, nil
}

// startRunsTx writes down all the runs that a transaction starts: their locks are taken in one order.
func (e *Engine) startRunsTx(ctx context.Context, tx pgx.Tx, plans ...*plan) error {
	return e.startEachTx(ctx, tx, plans, nil)
}

// startEachTx is startRunsTx for runs that have nothing to do with each other: refused hears which of them the database
// refuses, and why; the others start.
func (e *Engine) startEachTx(ctx context.Context, tx pgx.Tx, plans []*plan, refused func(p *plan, err error)) error {
	if len(plans) > 1 { // else enqueueSteps does it
		var keys []string
		for _, p := range plans {
			for _, name := range p.ready() {
				keys = append(keys, e.limitKeys(name, p.req.Tags)...)
			}
		}
		if err := e.lockLimits(ctx, tx, keys); err != nil {
			return err
		}
	}
	running := map[assetPartition]uuid.UUID{}
	for _, p := range plans {
		start := func(tx pgx.Tx) error { return e.startRunTx(ctx, tx, p) }
		var err error
		if refused == nil {
			err = start(tx)
		} else if err = pgx.BeginFunc(ctx, tx, start); err != nil && !databaseTrouble(err) {
			refused(p, err)
			continue
		}
		if err != nil {
			return err
		}
		for _, name := range p.assets {
			if key := e.partitionOf(name, optional(p.req.Partition)); key != nil {
				running[assetPartition{partition: *key, asset: name}] = p.id
			}
		}
	}
	if len(running) == 0 {
		return nil
	}
	var rows sql.PartitionsRunningParams
	for _, at := range slices.SortedFunc(maps.Keys(running), assetPartition.compare) {
		rows.Assets, rows.Partitions, rows.RunIds = append(rows.Assets, at.asset), append(rows.Partitions, at.partition), append(rows.RunIds, running[at])
	}
	return e.q.WithTx(tx).PartitionsRunning(ctx, rows)
}

// assetPartition is a partition of an asset.
type assetPartition struct{ partition, asset string }

// compare is the order in which transactions lock partitions.
func (p assetPartition) compare(o assetPartition) int {
	return cmp.Or(strings.Compare(p.partition, o.partition), strings.Compare(p.asset, o.asset))
}

// ready are the steps that wait for no other.
func (p *plan) ready() []string {
	out := []string{}
	for _, s := range p.steps {
		if s.Status == StatusQueued {
			out = append(out, s.Asset)
		}
	}
	return out
}

// startRunTx is a part of startRunsTx.
func (e *Engine) startRunTx(ctx context.Context, tx pgx.Tx, p *plan) error {
	ctx, span := e.observe.startRun(ctx, p)
	defer span.End()
	ids, err := e.enqueueSteps(ctx, tx, p.id, p.req.Priority, p.req.Tags, p.ready(), nil)
	if err != nil {
		return err
	}
	config, err := json.Marshal(p.config)
	if err != nil {
		return err
	}
	tags, err := json.Marshal(p.req.Tags)
	if err != nil {
		return err
	}
	data, err := json.Marshal(map[string]any{"trigger": p.req.Trigger.Kind, "assets": p.assets})
	if err != nil {
		return err
	}
	params := sql.InsertRunParams{
		ID: p.id, Job: optional(p.req.Job), Assets: p.assets, Partition: optional(p.req.Partition), TriggerKind: p.req.Trigger.Kind,
		TriggerName: optional(p.req.Trigger.Name), Config: config, Tags: tags, ParentRunID: p.req.parent,
		TimeoutSeconds: int32(*p.req.timeout / time.Second), CreatedAt: p.created, //nolint:gosec // a small number
		Message: "run enqueued", Data: data, Priority: int16(p.req.Priority), BackfillID: p.req.backfill, //nolint:gosec // 1 to 4
	}
	for _, s := range p.steps {
		params.StepAssets = append(params.StepAssets, s.Asset)
		params.StepUpstreams = append(params.StepUpstreams, strings.Join(s.Upstream, ","))
		params.StepStatuses = append(params.StepStatuses, s.Status)
		params.StepJobs = append(params.StepJobs, ids[s.Asset])
	}
	if err := e.q.WithTx(tx).InsertRun(ctx, params); err != nil {
		return fmt.Errorf("record run: %w", err)
	}
	return nil
}

// enqueueSteps inserts one River job for each step that its limits let through, and returns their ids by asset; the
// others wait for a place. failures are those a step had already, which its new job may not repeat.
func (e *Engine) enqueueSteps(ctx context.Context, tx pgx.Tx, runID uuid.UUID, priority int, tags map[string]string, assets []string, failures map[string]int) (map[string]int64, error) {
	under, all := map[string][]string{}, []string{}
	for _, name := range assets {
		under[name] = e.limitKeys(name, tags)
		all = append(all, under[name]...)
	}
	if err := e.lockLimits(ctx, tx, all); err != nil {
		return nil, err
	}
	var admitted []string
	for _, name := range assets {
		if keys := under[name]; len(keys) > 0 {
			ok, err := e.admitTx(ctx, tx, runID, name, keys, priority, false)
			if err != nil {
				return nil, fmt.Errorf("limits of %s: %w", name, err)
			}
			if !ok {
				continue
			}
		}
		admitted = append(admitted, name)
	}
	return e.insertStepJobs(ctx, tx, runID, priority, admitted, failures)
}

// insertStepJobs inserts one River job for each step.
func (e *Engine) insertStepJobs(ctx context.Context, tx pgx.Tx, runID uuid.UUID, priority int, assets []string, failures map[string]int) (map[string]int64, error) {
	return e.insertStepJobsAt(ctx, tx, runID, priority, assets, failures, time.Time{})
}

// insertStepJobsAt is insertStepJobs for a time to come; the zero time: now.
func (e *Engine) insertStepJobsAt(ctx context.Context, tx pgx.Tx, runID uuid.UUID, priority int, assets []string, failures map[string]int, at time.Time) (map[string]int64, error) {
	ids := map[string]int64{}
	if len(assets) == 0 {
		return ids, nil
	}
	params := make([]river.InsertManyParams, len(assets))
	metadata := e.observe.jobMetadata(ctx)
	for i, name := range assets {
		attempts := 1
		if a := e.defs.byAsset[name]; a != nil {
			attempts = a.Retry.maxAttempts()
		}
		params[i] = river.InsertManyParams{
			Args:       stepArgs{RunID: runID, Asset: name},
			InsertOpts: &river.InsertOpts{Queue: queueSteps, MaxAttempts: max(1, attempts-failures[name]), Priority: priority, Metadata: metadata, ScheduledAt: at},
		}
	}
	results, err := e.river.InsertManyTx(ctx, tx, params)
	if err != nil {
		return nil, fmt.Errorf("enqueue steps: %w", err)
	}
	for i, r := range results {
		ids[assets[i]] = r.Job.ID //nolint:gosec // one result for each of the params
	}
	return ids, nil
}

// run is what has just been written, without asking the database again.
func (p *plan) run() *Run {
	r := &Run{
		ID: p.id, Job: optional(p.req.Job), Assets: p.assets, Partition: optional(p.req.Partition), Status: StatusQueued, TriggerKind: p.req.Trigger.Kind,
		TriggerName: optional(p.req.Trigger.Name), Config: runconfig.Present(p.assets, p.config), Tags: p.req.Tags, CreatedAt: p.created, ParentRunID: p.req.parent,
		Priority: p.req.Priority, BackfillID: p.req.backfill,
	}
	for _, s := range p.steps {
		r.Steps = append(r.Steps, stepOf(s))
	}
	return r
}

// RetryRun starts a finished run again as a new run that names it as its parent: all of it or, with fromFailure, only
// the steps that did not succeed and those whose blocking check did not pass. The new run has the config, the partition,
// the tags, the priority and the time limit of the old one. ErrConflict if the run has not ended, or if nothing is left
// to do.
func (e *Engine) RetryRun(ctx context.Context, id uuid.UUID, fromFailure bool, req RunRequest) (*Run, bool, error) {
	old, err := e.q.GetRun(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, &NotFoundError{Kind: "run", Name: id.String()}
	}
	if err != nil {
		return nil, false, err
	}
	if !terminal(old.Status) {
		return nil, false, &ConflictError{Reason: fmt.Sprintf("run %s is %s; only a run that has ended can be retried", id, old.Status)}
	}
	var config map[string]json.RawMessage
	if err := json.Unmarshal(old.Config, &config); err != nil {
		return nil, false, fmt.Errorf("config of run %s: %w", id, err)
	}
	req.Assets = old.Assets
	if fromFailure {
		steps, err := e.q.ListSteps(ctx, id)
		if err != nil {
			return nil, false, err
		}
		req.Assets = nil
		for _, s := range steps {
			if s.Status != StatusSuccess || s.BlockedBy != nil {
				req.Assets = append(req.Assets, s.Asset)
			}
		}
		if len(req.Assets) == 0 {
			return nil, false, &ConflictError{Reason: fmt.Sprintf("every step of run %s succeeded: there is nothing to retry from", id)}
		}
	}
	if old.Job != nil {
		req.Job = *old.Job
	}
	if old.Partition != nil {
		req.Partition = *old.Partition
	}
	if err := json.Unmarshal(old.Tags, &req.Tags); err != nil {
		return nil, false, fmt.Errorf("tags of run %s: %w", id, err)
	}
	if req.Priority == 0 {
		req.Priority = int(old.Priority)
	}
	limit := time.Duration(old.TimeoutSeconds) * time.Second
	req.timeout = &limit
	req.parent, req.resolved = &id, map[string]json.RawMessage{}
	for _, name := range req.Assets {
		req.resolved[name] = config[name]
	}
	return e.StartRun(ctx, req)
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
