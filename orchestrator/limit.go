package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// Priorities of runs: of the steps that wait, those with the lowest number go first.
const (
	PriorityFirst   = 1
	PriorityDefault = 2
	PriorityLater   = 3
	PriorityLast    = 4
)

// Limit bounds how many steps run at once, in all workers together.
type Limit struct {
	// Key is "pool:NAME", "asset:NAME" or "tag:KEY=VALUE".
	Key string
	Max int
}

// ParseLimit reads "pool:legisinfo=2", "asset:fetch_latest_bills=1" or "tag:team=ops=3".
func ParseLimit(s string) (Limit, error) {
	want := fmt.Errorf("limit %q: want pool:NAME=N, asset:NAME=N or tag:KEY=VALUE=N, where N is 1 or more", s)
	i := strings.LastIndex(s, "=")
	if i < 0 {
		return Limit{}, want
	}
	n, err := strconv.Atoi(s[i+1:])
	kind, rest, _ := strings.Cut(s[:i], ":")
	if err != nil || n < 1 || rest == "" || !slices.Contains([]string{"pool", "asset", "tag"}, kind) ||
		(kind == "tag" && !strings.Contains(rest, "=")) {
		return Limit{}, want
	}
	return Limit{Key: s[:i], Max: n}, nil
}

// checkLimits checks that every limit is of an asset or a pool that exists, and given once.
func checkLimits(d *Definitions, limits []Limit) error {
	pools := map[string]bool{}
	for _, a := range d.assets {
		for _, p := range a.Pools {
			pools[p] = true
		}
	}
	seen := map[string]bool{}
	for _, l := range limits {
		kind, name, _ := strings.Cut(l.Key, ":")
		switch {
		case seen[l.Key]:
			return fmt.Errorf("limit %s is given twice", l.Key)
		case kind == "asset" && d.byAsset[name] == nil:
			return fmt.Errorf("limit %s: there is no asset %q", l.Key, name)
		case kind == "pool" && !pools[name]:
			return fmt.Errorf("limit %s: no asset is in a pool %q", l.Key, name)
		}
		seen[l.Key] = true
	}
	return nil
}

// limitKeys returns the limits that a step is under, in a fixed order.
func (e *Engine) limitKeys(asset string, tags map[string]string) []string {
	var keys []string
	for _, l := range e.cfg.Limits {
		kind, name, _ := strings.Cut(l.Key, ":")
		switch kind {
		case "asset":
			if name != asset {
				continue
			}
		case "pool":
			if a := e.defs.byAsset[asset]; a == nil || !slices.Contains(a.Pools, name) {
				continue
			}
		case "tag":
			if k, v, _ := strings.Cut(name, "="); tags[k] != v || tags == nil {
				continue
			}
		}
		keys = append(keys, l.Key)
	}
	slices.Sort(keys)
	return keys
}

func (e *Engine) limitOf(key string) int {
	for _, l := range e.cfg.Limits {
		if l.Key == key {
			return l.Max
		}
	}
	return 1 << 30 // a limit of another process's configuration
}

// lockLimits makes other transactions that take or release places under these limits wait for the end of this one. The
// caller names all limits that the transaction will need.
func (e *Engine) lockLimits(ctx context.Context, tx pgx.Tx, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	keys = slices.Compact(slices.Sorted(slices.Values(keys)))
	return e.q.WithTx(tx).AdvisoryLocks(ctx, each(keys, func(key string) int64 { return sql.LockKey("limit", key) }))
}

// admitTx takes a place for a step under each of its limits, which its caller has locked, and reports whether it did.
// If one limit is full it takes none, and the step waits in line. A step does not overtake those that wait under its
// limits already, unless its priority is higher. waiting says that the step waits in line already.
func (e *Engine) admitTx(ctx context.Context, tx pgx.Tx, s stepJob, keys []string, waiting bool) (bool, error) {
	q := e.q.WithTx(tx)
	free, err := e.freeUnder(ctx, q, keys)
	if err == nil && free && !waiting {
		var ahead bool
		ahead, err = q.SomebodyWaits(ctx, sql.SomebodyWaitsParams{
			Keys: keys, Priority: int16(s.priority), //nolint:gosec // 1 to 4
		})
		free = !ahead
	}
	if err != nil {
		return false, err
	}
	if free {
		return true, q.TakeSlots(ctx, sql.TakeSlotsParams{Keys: keys, RunID: s.run, Asset: s.asset})
	}
	if waiting {
		return false, nil
	}
	return false, q.WaitForSlot(ctx, sql.WaitForSlotParams{
		RunID: s.run, Asset: s.asset, Priority: int16(s.priority), Keys: keys, Since: e.now(), //nolint:gosec // 1 to 4
	})
}

// freeUnder reports whether no limit is full.
func (e *Engine) freeUnder(ctx context.Context, q *sql.Queries, keys []string) (bool, error) {
	used, err := q.CountSlots(ctx, keys)
	for _, u := range used {
		if int(u.N) >= e.limitOf(u.Key) {
			return false, err
		}
	}
	return true, err
}

// admitWaiting gives free places to the steps that wait, those of the highest priority first.
func (e *Engine) admitWaiting(ctx context.Context) error {
	waits, err := e.q.ListWaits(ctx)
	if err != nil {
		return err
	}
	full := map[string]bool{}
	name := func(w sql.StepWait) string { return w.RunID.String() + " " + w.Asset }
	return eachRow(ctx, e, "give places to steps that wait", waits, name, func(ctx context.Context, w sql.StepWait) error {
		if slices.ContainsFunc(w.Keys, func(k string) bool { return full[k] }) {
			return errUntried // a step before it waits for the same limit
		}
		left := false
		if err := e.db.Tx(ctx, func(tx pgx.Tx) (err error) {
			left, err = e.admitWaitingTx(ctx, tx, w)
			return err
		}); err != nil {
			return err
		}
		if !left {
			for _, k := range w.Keys {
				full[k] = true
			}
			return errUntried
		}
		return nil
	})
}

// admitWaitingTx gives a step that waits its places and enqueues it, if they are free. It reports whether the step left
// the line: it does so too if there is nothing left to enqueue.
func (e *Engine) admitWaitingTx(ctx context.Context, tx pgx.Tx, w sql.StepWait) (left bool, err error) {
	q := e.q.WithTx(tx)
	leave := func() error { return q.StopWaiting(ctx, sql.StopWaitingParams{RunID: w.RunID, Asset: w.Asset}) }
	t, err := e.lockRun(ctx, tx, w.RunID) // the run before the limits: the order of every transaction
	if errors.Is(err, ErrNotFound) {
		return false, leave()
	}
	if err != nil {
		return false, err
	}
	s := t.step(w.Asset)
	if s.Status != StatusQueued || s.JobID != nil || terminal(t.run.Status) {
		return true, leave()
	}
	if err := e.lockLimits(ctx, tx, w.Keys); err != nil {
		return false, err
	}
	job := stepJob{run: w.RunID, asset: w.Asset, priority: int(w.Priority), failures: int(s.Failures)}
	if left, err = e.admitTx(ctx, tx, job, w.Keys, true); err != nil || !left {
		return false, err
	}
	ids, err := e.insertStepJobs(ctx, tx, []stepJob{job})
	if err != nil {
		return false, err
	}
	return true, errors.Join(leave(), q.SetStepStatus(ctx, sql.SetStepStatusParams{
		RunID: w.RunID, Asset: w.Asset, Status: StatusQueued, JobID: ptr(ids[stepKey{w.RunID, w.Asset}]),
	}))
}

// release releases the places of a step, in the transaction that ends it.
func (e *Engine) release(ctx context.Context, q *sql.Queries, runID uuid.UUID, asset string) error {
	if len(e.cfg.Limits) == 0 {
		return nil
	}
	return errors.Join(
		q.ReleaseSlots(ctx, sql.ReleaseSlotsParams{RunID: runID, Asset: asset}),
		q.StopWaiting(ctx, sql.StopWaitingParams{RunID: runID, Asset: asset}),
	)
}

// LimitState is a limit with how many places are used and how many steps wait.
type LimitState struct {
	Limit
	Used, Waiting int
}

// Limits lists the limits of the configuration.
func (e *Engine) Limits(ctx context.Context) ([]LimitState, error) {
	out := each(e.cfg.Limits, func(l Limit) LimitState { return LimitState{Limit: l} })
	if len(out) == 0 {
		return out, nil
	}
	keys := each(out, func(l LimitState) string { return l.Key })
	used, err := e.q.CountSlots(ctx, keys)
	if err != nil {
		return nil, err
	}
	waiting, err := e.q.CountWaits(ctx, keys)
	for i := range out {
		for _, u := range used {
			if u.Key == out[i].Key {
				out[i].Used = int(u.N)
			}
		}
		for _, w := range waiting {
			if w.Key == out[i].Key {
				out[i].Waiting = int(w.N)
			}
		}
	}
	return out, err
}

// QueuePlace is the place of a queued step in its line.
type QueuePlace struct {
	Asset string
	// Position is 1 for the step that is next.
	Position int
	// WaitsFor is the limits that it waits for; empty if it waits for a worker.
	WaitsFor []string
}

// QueuePlaces returns the place of every queued step of a run.
func (e *Engine) QueuePlaces(ctx context.Context, run *Run) ([]QueuePlace, error) {
	if !slices.ContainsFunc(run.Steps, func(s RunStep) bool { return s.Status == StatusQueued }) {
		return []QueuePlace{}, nil
	}
	rows, err := e.q.QueuePlaces(ctx, run.ID)
	return each(rows, func(r sql.QueuePlacesRow) QueuePlace {
		return QueuePlace{Asset: r.Asset, Position: int(r.Position), WaitsFor: r.WaitsFor}
	}), err
}

// placesFreed has placeFreed look for steps that wait.
func (e *Engine) placesFreed() {
	select {
	case e.freed <- struct{}{}:
	default:
	}
}

// placeFreed gives places under limits to steps that wait, as soon as places become free. It runs until ctx ends.
func (e *Engine) placeFreed(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.freed:
		}
		if err := e.admitWaiting(ctx); err != nil && ctx.Err() == nil {
			e.log.Warn("steps that wait could not be given a place; it is tried again", "error", err)
		}
	}
}
