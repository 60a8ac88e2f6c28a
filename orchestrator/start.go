package orchestrator

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// claimKey claims an idempotency key for what id names. owner is id, or what claimed the key before with the same
// request. An empty key is free.
func (e *Engine) claimKey(
	ctx context.Context, tx pgx.Tx, key string, fingerprint []byte, id uuid.UUID, at time.Time,
) (owner uuid.UUID, err error) {
	if key == "" {
		return id, nil
	}
	q := e.q.WithTx(tx)
	n, err := q.InsertIdempotencyKey(ctx, sql.InsertIdempotencyKeyParams{
		Key: key, Fingerprint: fingerprint, RunID: id, CreatedAt: at,
	})
	if err != nil || n == 1 {
		return id, err
	}
	first, err := q.GetIdempotencyKey(ctx, key)
	if err != nil {
		return id, err
	}
	if string(first.Fingerprint) != string(fingerprint) {
		return id, ErrIdempotencyKeyReused
	}
	return first.RunID, nil
}

// startRunsTx starts runs. A transaction starts all its runs by one call, so that their locks are taken in one order.
func (e *Engine) startRunsTx(ctx context.Context, tx pgx.Tx, plans ...*plan) error {
	return e.startEachTx(ctx, tx, plans, nil)
}

// startEachTx is startRunsTx for runs that are independent of each other. It calls refused for a run that the database
// refuses, and starts the others.
func (e *Engine) startEachTx(ctx context.Context, tx pgx.Tx, plans []*plan, refused func(p *plan, err error)) error {
	if len(plans) > 1 { // otherwise enqueueSteps locks them
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
	started := plans
	if err := e.startGroupTx(ctx, tx, plans, refused != nil); err != nil {
		if refused == nil || databaseTrouble(err) {
			return err
		}
		started = nil
		for _, p := range plans { // to find out which of them
			switch err := e.startGroupTx(ctx, tx, []*plan{p}, true); {
			case err == nil:
				started = append(started, p)
			case databaseTrouble(err):
				return err
			default:
				refused(p, err)
			}
		}
	}
	running := map[assetPartition]uuid.UUID{}
	for _, p := range started {
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
		rows.Assets = append(rows.Assets, at.asset)
		rows.Partitions = append(rows.Partitions, at.partition)
		rows.RunIds = append(rows.RunIds, running[at])
	}
	return e.q.WithTx(tx).PartitionsRunning(ctx, rows)
}

// assetPartition is a partition of an asset.
type assetPartition struct{ partition, asset string }

// compare is the order in which transactions lock partitions.
func (p assetPartition) compare(o assetPartition) int {
	return cmp.Or(strings.Compare(p.partition, o.partition), strings.Compare(p.asset, o.asset))
}

// startGroupTx starts all of the runs or none. With goOn, the transaction can go on without them.
func (e *Engine) startGroupTx(ctx context.Context, tx pgx.Tx, plans []*plan, goOn bool) error {
	if goOn {
		return pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return e.insertRuns(ctx, tx, plans) })
	}
	return e.insertRuns(ctx, tx, plans)
}

// insertRuns writes runs with their steps and their first events, and enqueues the steps that are ready. Only
// startGroupTx calls it.
func (e *Engine) insertRuns(ctx context.Context, tx pgx.Tx, plans []*plan) error {
	var rows sql.InsertRunsParams
	for _, p := range plans {
		if p.trace == nil {
			defer e.observe.startRun(ctx, p).End()
		}
		ready := each(p.ready(), func(asset string) stepJob {
			return stepJob{run: p.id, asset: asset, priority: p.req.Priority}
		})
		admitted, err := e.admitSteps(ctx, tx, ready, p.req.Tags)
		if err != nil {
			return err
		}
		if err := e.columns(p, admitted, &rows); err != nil {
			return err
		}
	}
	if err := e.q.WithTx(tx).InsertRuns(ctx, rows); err != nil {
		return fmt.Errorf("record run: %w", err)
	}
	e.enqueued()
	return nil
}

// columns adds the row of a run to rows, and those of its steps, of its first event and of the River jobs of the steps
// that are admitted.
func (e *Engine) columns(p *plan, admitted []stepJob, rows *sql.InsertRunsParams) error {
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
	id := func(p *uuid.UUID) uuid.UUID {
		if p == nil {
			return uuid.Nil // stored as NULL
		}
		return *p
	}
	rows.Ids = append(rows.Ids, p.id)
	rows.Jobs = append(rows.Jobs, p.req.Job)
	rows.Assets = append(rows.Assets, strings.Join(p.assets, ","))
	rows.Partitions = append(rows.Partitions, p.req.Partition)
	rows.TriggerKinds = append(rows.TriggerKinds, p.req.Trigger.Kind)
	rows.TriggerNames = append(rows.TriggerNames, p.req.Trigger.Name)
	rows.Configs = append(rows.Configs, string(config))
	rows.Tags = append(rows.Tags, string(tags))
	rows.ParentRunIds = append(rows.ParentRunIds, id(p.req.parent))
	rows.TimeoutSeconds = append(rows.TimeoutSeconds, int32(*p.req.timeout/time.Second)) //nolint:gosec // small
	rows.CreatedAts = append(rows.CreatedAts, p.created)
	rows.Priorities = append(rows.Priorities, int16(p.req.Priority)) //nolint:gosec // 1 to 4
	rows.BackfillIds = append(rows.BackfillIds, id(p.req.backfill))
	rows.Datas = append(rows.Datas, string(data))
	for _, s := range p.steps {
		rows.StepRunIds = append(rows.StepRunIds, p.id)
		rows.StepAssets = append(rows.StepAssets, s.Asset)
		rows.StepUpstreams = append(rows.StepUpstreams, strings.Join(s.Upstream, ","))
		rows.StepStatuses = append(rows.StepStatuses, s.Status)
		attempts := 0
		if slices.ContainsFunc(admitted, func(j stepJob) bool { return j.asset == s.Asset }) {
			attempts = e.maxAttempts(s.Asset, 0)
		}
		rows.StepMaxAttempts = append(rows.StepMaxAttempts, int16(attempts))
		rows.StepPriorities = append(rows.StepPriorities, int16(p.req.Priority)) //nolint:gosec // 1 to 4
		rows.StepMetadatas = append(rows.StepMetadatas, string(p.trace))
	}
	return nil
}

// stepKey names a step.
type stepKey struct {
	run   uuid.UUID
	asset string
}

// stepJob is a step for which a River job is to be enqueued.
type stepJob struct {
	run      uuid.UUID
	asset    string
	priority int
	failures int       // attempts that failed, which the new job does not repeat
	at       time.Time // when it is due; zero: now
	trace    []byte    // metadata of the job; nil: of the context
}

func (s stepJob) key() stepKey { return stepKey{s.run, s.asset} }

// maxAttempts is how many attempts the River job of a step has, after failures of them.
func (e *Engine) maxAttempts(asset string, failures int) int {
	if a := e.defs.byAsset[asset]; a != nil {
		return max(1, a.Retry.maxAttempts()-failures)
	}
	return 1
}

// enqueueSteps enqueues the steps of a run that their limits admit, and returns the ids of their River jobs. The others
// wait for a place. tags are those of the run.
func (e *Engine) enqueueSteps(
	ctx context.Context, tx pgx.Tx, steps []stepJob, tags map[string]string,
) (map[stepKey]int64, error) {
	admitted, err := e.admitSteps(ctx, tx, steps, tags)
	if err != nil {
		return nil, err
	}
	return e.insertStepJobs(ctx, tx, admitted)
}

// admitSteps takes places for the steps of a run under their limits, and returns the steps that have them. The others
// wait for a place.
func (e *Engine) admitSteps(
	ctx context.Context, tx pgx.Tx, steps []stepJob, tags map[string]string,
) ([]stepJob, error) {
	under, all := map[string][]string{}, []string{}
	for _, s := range steps {
		under[s.asset] = e.limitKeys(s.asset, tags)
		all = append(all, under[s.asset]...)
	}
	if err := e.lockLimits(ctx, tx, all); err != nil {
		return nil, err
	}
	var admitted []stepJob
	for _, s := range steps {
		if keys := under[s.asset]; len(keys) > 0 {
			ok, err := e.admitTx(ctx, tx, s, keys, false)
			if err != nil {
				return nil, fmt.Errorf("limits of %s: %w", s.asset, err)
			}
			if !ok {
				continue
			}
		}
		admitted = append(admitted, s)
	}
	return admitted, nil
}

// insertStepJobs inserts one River job for each step, and returns their ids.
func (e *Engine) insertStepJobs(ctx context.Context, tx pgx.Tx, steps []stepJob) (map[stepKey]int64, error) {
	ids := map[stepKey]int64{}
	if len(steps) == 0 {
		return ids, nil
	}
	params := make([]river.InsertManyParams, len(steps))
	metadata := e.observe.jobMetadata(ctx)
	for i, s := range steps {
		if s.trace == nil {
			s.trace = metadata
		}
		params[i] = river.InsertManyParams{
			Args: stepArgs{RunID: s.run, Asset: s.asset},
			InsertOpts: &river.InsertOpts{
				Queue: queueSteps, MaxAttempts: e.maxAttempts(s.asset, s.failures),
				Priority: s.priority, Metadata: s.trace, ScheduledAt: s.at,
			},
		}
	}
	results, err := e.river.InsertManyTx(ctx, tx, params)
	if err != nil {
		return nil, fmt.Errorf("enqueue steps: %w", err)
	}
	e.enqueued()
	for i, r := range results {
		ids[steps[i].key()] = r.Job.ID //nolint:gosec // one result for each of the params
	}
	return ids, nil
}
