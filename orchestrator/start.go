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

// startRunTx writes one run with its steps, and enqueues the steps that are ready. Only startEachTx calls it.
func (e *Engine) startRunTx(ctx context.Context, tx pgx.Tx, p *plan) error {
	ctx, span := e.observe.startRun(ctx, p)
	defer span.End()
	ready := each(p.ready(), func(asset string) stepJob {
		return stepJob{run: p.id, asset: asset, priority: p.req.Priority}
	})
	ids, err := e.enqueueSteps(ctx, tx, ready, p.req.Tags)
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
		ID: p.id, Job: optional(p.req.Job), Assets: p.assets, Partition: optional(p.req.Partition),
		TriggerKind: p.req.Trigger.Kind, TriggerName: optional(p.req.Trigger.Name),
		Config: config, Tags: tags, ParentRunID: p.req.parent,
		TimeoutSeconds: int32(*p.req.timeout / time.Second), CreatedAt: p.created, //nolint:gosec // a small number
		Message: "run enqueued", Data: data,
		Priority: int16(p.req.Priority), BackfillID: p.req.backfill, //nolint:gosec // 1 to 4
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

// stepJob is a step for which a River job is to be enqueued.
type stepJob struct {
	run      uuid.UUID
	asset    string
	priority int
	failures int       // attempts that failed, which the new job does not repeat
	at       time.Time // when it is due; zero: now
}

// enqueueSteps enqueues the steps that their limits admit, and returns the ids of their River jobs by asset. The others
// wait for a place. tags are those of the run.
func (e *Engine) enqueueSteps(
	ctx context.Context, tx pgx.Tx, steps []stepJob, tags map[string]string,
) (map[string]int64, error) {
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
	return e.insertStepJobs(ctx, tx, admitted)
}

// insertStepJobs inserts one River job for each step, and returns their ids by asset.
func (e *Engine) insertStepJobs(ctx context.Context, tx pgx.Tx, steps []stepJob) (map[string]int64, error) {
	ids := map[string]int64{}
	if len(steps) == 0 {
		return ids, nil
	}
	params := make([]river.InsertManyParams, len(steps))
	metadata := e.observe.jobMetadata(ctx)
	for i, s := range steps {
		attempts := 1
		if a := e.defs.byAsset[s.asset]; a != nil {
			attempts = a.Retry.maxAttempts()
		}
		params[i] = river.InsertManyParams{
			Args: stepArgs{RunID: s.run, Asset: s.asset},
			InsertOpts: &river.InsertOpts{
				Queue: queueSteps, MaxAttempts: max(1, attempts-s.failures),
				Priority: s.priority, Metadata: metadata, ScheduledAt: s.at,
			},
		}
	}
	results, err := e.river.InsertManyTx(ctx, tx, params)
	if err != nil {
		return nil, fmt.Errorf("enqueue steps: %w", err)
	}
	e.enqueued()
	for i, r := range results {
		ids[steps[i].asset] = r.Job.ID //nolint:gosec // one result for each of the params
	}
	return ids, nil
}
