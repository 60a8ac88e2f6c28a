package orchestrator

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/runconfig"
)

// plan is a run that was checked and can be recorded.
type plan struct {
	id      uuid.UUID
	req     RunRequest
	assets  []string
	config  map[string]json.RawMessage
	created time.Time
	steps   []sql.Step
	trace   []byte // metadata of its River jobs; nil: it has no span yet
}

// admitted waits until the run may be committed.
func (p *plan) admitted(ctx context.Context) error {
	if p.req.Admitted == nil {
		return nil
	}
	return p.req.Admitted(ctx)
}

// planRun checks a request and makes a plan of it. The errors are those of StartRun.
func (e *Engine) planRun(ctx context.Context, req RunRequest) (*plan, error) {
	p := &plan{req: req, created: e.now()}
	names, base := req.Assets, map[string]map[string]any(nil)
	if req.Job != "" {
		j, err := e.defs.Job(req.Job)
		if err != nil {
			return nil, err
		}
		if names == nil {
			names = j.Assets
		}
		base = j.config
		p.useJob(j)
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
	p.steps = e.planSteps(p.id, p.assets)
	return p, nil
}

// useJob completes a request with what its job sets.
func (p *plan) useJob(j *Job) {
	if p.req.timeout == nil {
		p.req.timeout = &j.Timeout
	}
	if p.req.Priority == 0 {
		p.req.Priority = j.Priority
	}
	if p.req.resolved != nil { // the tags are complete too
		return
	}
	tags := maps.Clone(j.Tags)
	if tags == nil {
		tags = map[string]string{}
	}
	maps.Copy(tags, p.req.Tags)
	p.req.Tags = tags
}

// planSteps returns the steps of a run: those that depend on another step of the run wait, and the others are queued.
func (e *Engine) planSteps(run uuid.UUID, assets []string) []sql.Step {
	steps := make([]sql.Step, len(assets))
	for i, name := range assets {
		steps[i] = sql.Step{RunID: run, Asset: name, Status: StatusQueued, Upstream: []string{}}
		for _, dep := range e.defs.byAsset[name].Deps {
			if slices.Contains(assets, dep) {
				steps[i].Upstream = append(steps[i].Upstream, dep)
				steps[i].Status = StatusWaiting
			}
		}
	}
	return steps
}

// checkPartition checks that the assets can be materialized for a partition, or without one, and returns the config
// fields that the partition decides.
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
			fields, err := a.PartitionConfig(key)
			if err == nil {
				fixed[name], err = runconfig.Normalize(fields)
			}
			if err != nil {
				return nil, invalidRequest("/partition", "%q: %v", key, err)
			}
		}
	}
	return fixed, nil
}

// partitionOf returns the partition of an asset in a run of this partition; nil if the asset is not partitioned.
func (e *Engine) partitionOf(asset string, partition *string) *string {
	if a := e.defs.byAsset[asset]; partition == nil || a == nil || a.Partitions == nil {
		return nil
	}
	return partition
}

// ready returns the assets whose steps wait for no other.
func (p *plan) ready() []string {
	out := []string{}
	for _, s := range p.steps {
		if s.Status == StatusQueued {
			out = append(out, s.Asset)
		}
	}
	return out
}

// run returns the run as it was just recorded, without reading it from the database.
func (p *plan) run() *Run {
	r := &Run{
		ID: p.id, Job: optional(p.req.Job), Assets: p.assets, Partition: optional(p.req.Partition), Status: StatusQueued,
		TriggerKind: p.req.Trigger.Kind, TriggerName: optional(p.req.Trigger.Name),
		Config: runconfig.Present(p.assets, p.config), Tags: p.req.Tags, CreatedAt: p.created,
		ParentRunID: p.req.parent, Priority: p.req.Priority, BackfillID: p.req.backfill,
	}
	for _, s := range p.steps {
		r.Steps = append(r.Steps, stepOf(s))
	}
	return r
}
