package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// BackfillRequest asks for the materialization of partitions, one run for each.
type BackfillRequest struct {
	// Assets are what each run materializes; those that are partitioned must share their set.
	Assets []string
	// Selection is the selection by which Assets were chosen, if it was one. Errors about the assets then point to it.
	Selection string
	// Keys are the partitions; without keys and a range, all partitions of the set.
	Keys []string
	// From and To are the first and the last partition of a range, in the order of the set.
	From, To string
	// Only is empty, PartitionMissing or PartitionFailed: of the chosen partitions, those with this status.
	Only string
	// Concurrency is how many runs are open at once; default 2.
	Concurrency int
	// Priority is the priority of the runs; default PriorityLater, so that other runs go first.
	Priority int
	Config   json.RawMessage
	Tags     map[string]string
	// By names who asked for it.
	By string
	// IdempotencyKey makes a repeated request return the backfill of the first. Fingerprint identifies the request.
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

// PlanBackfill returns what a backfill would do, and does nothing.
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
		return nil, req.blame(
			invalidRequest("/assets", "none of %s is partitioned: there is nothing to backfill", strings.Join(p.Assets, ", ")),
		)
	}
	all, err := e.Partitions(ctx, p.Set)
	if err != nil {
		return nil, err
	}
	if p.Keys, err = e.chooseKeys(ctx, p.Set, all, req); err != nil {
		return nil, err
	}
	if req.Only != "" {
		if p.Keys, err = e.keysWithStatus(ctx, p.Assets, p.Keys, req.Only); err != nil {
			return nil, err
		}
	}
	if len(p.Keys) > MaxBackfillPartitions {
		return nil, req.blame(
			invalidRequest("/partition", "%d partitions are chosen: want %d at most", len(p.Keys), MaxBackfillPartitions),
		)
	}
	if len(p.Keys) > 0 { // an invalid config is invalid for the first run too
		if _, err := e.planRun(ctx, RunRequest{
			Assets: p.Assets, Config: req.Config, Partition: p.Keys[0], Tags: req.Tags,
		}); err != nil {
			return nil, req.blame(err)
		}
	}
	return p, nil
}

// blame makes an error about a run point into the request for the backfill: the assets may have been chosen by a
// selection, and the partition by a list, by a range or by neither.
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

// chooseKeys returns the partitions that a request chooses, in the order of their set.
func (e *Engine) chooseKeys(
	ctx context.Context,
	set *PartitionSet,
	all []string,
	req BackfillRequest,
) ([]string, error) {
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

// keysWithStatus returns the partitions that have a status for any of the assets.
func (e *Engine) keysWithStatus(ctx context.Context, assets, keys []string, status string) ([]string, error) {
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
