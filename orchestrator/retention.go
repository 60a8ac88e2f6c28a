package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// Kinds of what is kept for a time. A deployment may have more: Config.Sweepers.
const (
	KeepEvents     = "events"     // the event log
	KeepRuns       = "runs"       // runs with their steps and materializations, check results, and backfills
	KeepTicks      = "ticks"      // of schedules and sensors
	KeepJobs       = "jobs"       // River's, once they are finished
	KeepDeliveries = "deliveries" // alerts that have recovered, and what was sent of them
	KeepWebhooks   = "webhooks"   // events that webhook sensors received
	KeepRunKeys    = "run_keys"   // the keys that have sensors start a run once; then the same key would start another
)

// Keep says how much of a kind is kept: what is younger than Age, and no more than Count. 0 is no limit.
type Keep struct {
	Age   time.Duration
	Count int64
}

// Retention says what is kept, by kind.
type Retention map[string]Keep

const day = 24 * time.Hour

// DefaultRetention is what is kept unless a deployment says otherwise.
func DefaultRetention() Retention {
	return Retention{
		KeepEvents: {Age: 90 * day}, KeepRuns: {Age: 365 * day}, KeepTicks: {Age: 90 * day}, KeepJobs: {Age: time.Hour},
		KeepDeliveries: {Age: 180 * day}, KeepWebhooks: {Age: 30 * day}, KeepRunKeys: {Age: 400 * day},
	}
}

// String is the retention as ParseKeep reads it.
func (k Keep) String() string {
	s := "off"
	switch {
	case k.Age > 0 && k.Age%day == 0:
		s = strconv.Itoa(int(k.Age/day)) + "d"
	case k.Age > 0:
		s = k.Age.String()
	}
	if k.Count > 0 {
		s += "/" + strconv.FormatInt(k.Count, 10)
	}
	return s
}

// ParseKeep reads "events=90d", "runs=180d/1000000" (no more than so many), "ticks=off/5000" or "events=off" (for ever).
func ParseKeep(s string) (kind string, k Keep, err error) {
	kind, given, ok := strings.Cut(s, "=")
	fail := func() (string, Keep, error) {
		return "", Keep{}, fmt.Errorf("%q: want kind=age or kind=age/count, such as events=90d or runs=180d/1000000; off is for ever", s)
	}
	if !ok || kind == "" {
		return fail()
	}
	age, count, counted := strings.Cut(given, "/")
	switch days, isDays := strings.CutSuffix(age, "d"); {
	case age == "off":
	case isDays:
		n, err := strconv.Atoi(days)
		if err != nil || n < 1 || n > 36500 {
			return fail()
		}
		k.Age = time.Duration(n) * day
	default:
		if k.Age, err = time.ParseDuration(age); err != nil || k.Age < time.Minute {
			return fail()
		}
	}
	if counted {
		if k.Count, err = strconv.ParseInt(count, 10, 64); err != nil || k.Count < 1 {
			return fail()
		}
	}
	return kind, k, nil
}

// Sweeper deletes what is old of a kind that the engine knows nothing of.
type Sweeper struct {
	Kind    string
	Default Keep
	// Sweep deletes at most limit of those made before a time, the oldest first.
	Sweep func(ctx context.Context, before time.Time, limit int32) (int64, error)
	// Nth is when the newest but n was made: what is older are more than n. pgx.ErrNoRows if there are fewer. Without Nth
	// and Trim, the kind is kept by age alone, and a count is refused.
	Nth func(ctx context.Context, n int32) (time.Time, error)
	// Trim deletes at most limit of what the newest keep leave over. Sweeping before Nth comes first and does most of it;
	// Trim sees to what was made at the same moment.
	Trim func(ctx context.Context, keep, limit int32) (int64, error)
}

// Expiry deletes what says itself when it ends, such as sessions. It goes on whatever is kept of other things.
type Expiry struct {
	// What is deleted, in a word.
	What string
	// Sweep deletes what has ended.
	Sweep func(ctx context.Context) (int64, error)
}

// retention is what is kept here, with defaults filled in; an error names a kind that there is none of.
func (c *Config) retention() (Retention, error) {
	out := DefaultRetention()
	for _, s := range c.Sweepers {
		out[s.Kind] = s.Default
	}
	for kind, k := range c.Retention {
		if _, ok := out[kind]; !ok {
			kinds := make([]string, 0, len(out))
			for name := range out {
				kinds = append(kinds, name)
			}
			slices.Sort(kinds)
			return nil, fmt.Errorf("retention of %q: want one of %s", kind, strings.Join(kinds, ", "))
		}
		byAge := kind == KeepJobs // which River deletes
		for _, s := range c.Sweepers {
			byAge = byAge || s.Kind == kind && (s.Nth == nil || s.Trim == nil)
		}
		if byAge && k.Count > 0 {
			return nil, fmt.Errorf("retention of %s: %q has a count; want an age or off, for %[1]s are kept by age alone", kind, k)
		}
		out[kind] = k
	}
	return out, nil
}

type retentionArgs struct{}

// Kind implements river.JobArgs.
func (retentionArgs) Kind() string { return "retention" }

type retentionWorker struct {
	river.WorkerDefaults[retentionArgs]
	engine *Engine
}

const (
	retentionEvery = 10 * time.Minute
	// sweepBatch is how many rows are deleted at once, and sweepPause how long others have the database to themselves
	// between two batches.
	sweepBatch = 1000
	sweepPause = 20 * time.Millisecond
	// keepLast is how many materializations of each asset keep their runs and events, however old they are.
	keepLast = 20
	// partitionsAhead is for how many weeks to come the event log has its place.
	partitionsAhead = 2
)

func (e *Engine) retentionRounds() *river.PeriodicJob {
	return river.NewPeriodicJob(river.PeriodicInterval(retentionEvery), func() (river.JobArgs, *river.InsertOpts) {
		return retentionArgs{}, &river.InsertOpts{Queue: queueMaintenance, MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByPeriod: retentionEvery / 2}}
	}, &river.PeriodicJobOpts{ID: "retention", RunOnStart: true})
}

// Work implements river.Worker.
func (w *retentionWorker) Work(ctx context.Context, _ *river.Job[retentionArgs]) error {
	ctx, cancel := context.WithTimeout(ctx, retentionEvery-time.Minute)
	defer cancel()
	now, err := w.engine.q.DatabaseTime(ctx) // a worker whose clock is years ahead must not delete everything
	if err != nil {
		return err
	}
	_, err = w.engine.Sweep(ctx, now)
	return err
}

// Sweep deletes what is older than is kept, makes room for the events of the weeks to come, and notes how large the
// tables are. It gives how many rows, or pieces of the event log, it deleted of each kind. One kind's trouble does not
// keep the others from being swept. Several processes may do it at once.
func (e *Engine) Sweep(ctx context.Context, now time.Time) (map[string]int64, error) {
	swept := map[string]int64{}
	var troubles []error
	note := func(what string, n int64, err error) {
		if n > 0 {
			swept[what] += n
			e.observe.swept.WithLabelValues(what).Add(float64(n))
		}
		if err != nil && !errors.Is(err, eventlog.ErrBusy) { // the next round will do
			troubles = append(troubles, fmt.Errorf("%s: %w", what, err))
		}
	}
	note("room for events", 0, eventlog.EnsurePartitions(ctx, e.db, now, partitionsAhead))
	needed, err := e.q.NeededRuns(ctx, keepLast)
	note("what is needed", 0, err)
	if err == nil { // else nobody knows what may go
		n, err := e.sweepEvents(ctx, now, needed)
		note(KeepEvents, n, err)
		n, err = e.sweepRuns(ctx, now, needed)
		note(KeepRuns, n, err)
	}
	for _, s := range append(e.sweepers(), e.cfg.Sweepers...) {
		n, err := e.sweepBefore(ctx, now, s)
		note(s.Kind, n, err)
	}
	for _, x := range e.cfg.Expiries {
		n, err := x.Sweep(ctx)
		note(x.What, n, err)
	}
	note("sizes", 0, e.sampleStorage(ctx))
	if len(swept) > 0 {
		e.log.Info("old records deleted", "deleted", swept)
	}
	return swept, errors.Join(troubles...)
}

// batches calls sweep until it deletes less than a batch.
func batches(ctx context.Context, sweep func(limit int32) (int64, error)) (total int64, err error) {
	for {
		n, err := sweep(sweepBatch)
		total += n
		if err != nil || n < sweepBatch {
			return total, err
		}
		select {
		case <-ctx.Done():
			return total, ctx.Err()
		case <-time.After(sweepPause):
		}
	}
}

func (e *Engine) sweepEvents(ctx context.Context, now time.Time, needed []uuid.UUID) (swept int64, err error) {
	keep := e.retention[KeepEvents]
	var first *eventlog.Cursor // of those that are not too many
	if keep.Count > 0 {
		place, err := eventlog.NthNewest(ctx, e.db, keep.Count-1)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return 0, err
		}
		if err == nil {
			first = &place
		}
	}
	parts, err := eventlog.Partitions(ctx, e.db)
	if err != nil {
		return 0, err
	}
	for _, p := range parts {
		drop := keep.Age > 0 && p.Upto.Before(now.Add(-keep.Age))
		if !drop && first != nil && p.Upto.Before(now) {
			has, err := eventlog.HasFrom(ctx, e.db, p.Name, *first)
			if err != nil {
				return swept, err
			}
			drop = !has
		}
		if !drop {
			continue
		}
		if err := eventlog.DropPartition(ctx, e.db, p.Name, needed); err != nil {
			return swept, err
		}
		swept++
	}
	if keep.Age > 0 { // those that were kept for a run that is no longer needed
		_, err := batches(ctx, func(limit int32) (int64, error) {
			return eventlog.DeleteFromDefault(ctx, e.db, now.Add(-keep.Age), needed, int(limit))
		})
		if err != nil {
			return swept, err
		}
	}
	if first == nil {
		return swept, nil
	}
	n, err := batches(ctx, func(limit int32) (int64, error) {
		return eventlog.DeleteBefore(ctx, e.db, *first, needed, int(limit))
	})
	return swept + n, err
}

func (e *Engine) sweepRuns(ctx context.Context, now time.Time, needed []uuid.UUID) (int64, error) {
	keep := e.retention[KeepRuns]
	var below uuid.UUID
	if keep.Age > 0 {
		below = uuidFloor(now.Add(-keep.Age))
	}
	if keep.Count > 0 {
		id, err := e.q.NthRun(ctx, int32(min(keep.Count-1, 1<<30)))
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return 0, err
		}
		if err == nil && slices.Compare(id[:], below[:]) > 0 {
			below = id
		}
	}
	if below == uuid.Nil {
		return 0, nil
	}
	n, err := batches(ctx, func(limit int32) (int64, error) {
		return e.q.SweepRuns(ctx, sql.SweepRunsParams{Below: below, Needed: needed, MaxRows: limit})
	})
	if err != nil {
		return n, err
	}
	_, err = batches(ctx, func(limit int32) (int64, error) {
		return e.q.SweepMaterializations(ctx, sql.SweepMaterializationsParams{Below: below, Needed: needed, MaxRows: limit})
	})
	if err != nil {
		return n, err
	}
	_, err = batches(ctx, func(limit int32) (int64, error) {
		return e.q.SweepChecks(ctx, sql.SweepChecksParams{Below: below, MaxRows: limit})
	})
	if err != nil {
		return n, err
	}
	_, err = batches(ctx, func(limit int32) (int64, error) {
		return e.q.SweepBackfills(ctx, sql.SweepBackfillsParams{Below: below, MaxRows: limit})
	})
	return n, err
}

// sweepers are of the engine's other tables. River cleans its own.
func (e *Engine) sweepers() []Sweeper {
	q := e.q
	return []Sweeper{
		{Kind: KeepTicks, Nth: q.NthTick, Sweep: func(ctx context.Context, before time.Time, limit int32) (int64, error) {
			return q.SweepTicks(ctx, sql.SweepTicksParams{Before: before, MaxRows: limit})
		}, Trim: func(ctx context.Context, keep, limit int32) (int64, error) {
			return q.TrimTicks(ctx, sql.TrimTicksParams{Keep: keep, MaxRows: limit})
		}},
		{Kind: KeepTicks, Nth: q.NthSensorTick, Sweep: func(ctx context.Context, before time.Time, limit int32) (int64, error) {
			return q.SweepSensorTicks(ctx, sql.SweepSensorTicksParams{Before: before, MaxRows: limit})
		}, Trim: func(ctx context.Context, keep, limit int32) (int64, error) {
			return q.TrimSensorTicks(ctx, sql.TrimSensorTicksParams{Keep: keep, MaxRows: limit})
		}},
		{Kind: KeepDeliveries, Nth: q.NthRecoveredAlert, Sweep: func(ctx context.Context, before time.Time, limit int32) (int64, error) {
			return q.SweepAlerts(ctx, sql.SweepAlertsParams{Before: &before, MaxRows: limit})
		}, Trim: func(ctx context.Context, keep, limit int32) (int64, error) {
			return q.TrimAlerts(ctx, sql.TrimAlertsParams{Keep: keep, MaxRows: limit})
		}},
		{Kind: KeepDeliveries, Nth: q.NthTestDelivery, Sweep: func(ctx context.Context, before time.Time, limit int32) (int64, error) {
			return q.SweepTestDeliveries(ctx, sql.SweepTestDeliveriesParams{Before: before, MaxRows: limit})
		}, Trim: func(ctx context.Context, keep, limit int32) (int64, error) {
			return q.TrimTestDeliveries(ctx, sql.TrimTestDeliveriesParams{Keep: keep, MaxRows: limit})
		}},
		{Kind: KeepWebhooks, Nth: q.NthWebhookEvent, Sweep: func(ctx context.Context, before time.Time, limit int32) (int64, error) {
			return q.SweepWebhookEvents(ctx, sql.SweepWebhookEventsParams{Before: before, MaxRows: limit})
		}, Trim: func(ctx context.Context, keep, limit int32) (int64, error) {
			return q.TrimWebhookEvents(ctx, sql.TrimWebhookEventsParams{Keep: keep, MaxRows: limit})
		}},
		{Kind: KeepRunKeys, Nth: q.NthRunKey, Sweep: func(ctx context.Context, before time.Time, limit int32) (int64, error) {
			return q.SweepRunKeys(ctx, sql.SweepRunKeysParams{Before: before, MaxRows: limit})
		}, Trim: func(ctx context.Context, keep, limit int32) (int64, error) {
			return q.TrimRunKeys(ctx, sql.TrimRunKeysParams{Keep: keep, MaxRows: limit})
		}},
	}
}

func (e *Engine) sweepBefore(ctx context.Context, now time.Time, s Sweeper) (int64, error) {
	keep := e.retention[s.Kind]
	var before time.Time
	if keep.Age > 0 {
		before = now.Add(-keep.Age)
	}
	if keep.Count > 0 {
		at, err := s.Nth(ctx, int32(min(keep.Count-1, 1<<30)))
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return 0, err
		}
		if err == nil && at.After(before) {
			before = at
		}
	}
	if before.IsZero() {
		return 0, nil
	}
	n, err := batches(ctx, func(limit int32) (int64, error) { return s.Sweep(ctx, before, limit) })
	if err != nil || keep.Count == 0 {
		return n, err
	}
	more, err := batches(ctx, func(limit int32) (int64, error) { return s.Trim(ctx, int32(min(keep.Count, 1<<30)), limit) }) //nolint:gosec // bounded
	return n + more, err
}

func (e *Engine) sampleStorage(ctx context.Context) error {
	sizes, err := e.db.Storage(ctx)
	if err != nil {
		return err
	}
	var p sql.SampleStorageParams
	for _, s := range sizes {
		p.Names, p.Bytes, p.Rows = append(p.Names, s.Name), append(p.Bytes, s.Bytes), append(p.Rows, s.Rows)
	}
	return errors.Join(e.q.SampleStorage(ctx, p), e.q.SweepSamples(ctx))
}
