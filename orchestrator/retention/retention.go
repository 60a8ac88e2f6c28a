// Package retention deletes rows that are older than their retention: events, runs, ticks, alerts, and the rows of
// every other Sweeper. It also creates the event log's partitions of the next weeks, and samples the sizes of tables.
//
// A Policy has the retention of each kind of row. Each call of Deleter.Sweep deletes the expired rows, in batches with
// a pause in between. Begin reading there.
package retention

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// Sweeper deletes old records of one kind. The engine has one for each of its tables; a deployment adds its own.
type Sweeper struct {
	Kind    string
	Default Keep
	// Sweep deletes at most limit records made before a time, oldest first, and returns how many it deleted.
	Sweep func(ctx context.Context, before time.Time, limit int32) (int64, error)
	// Nth returns when the record was made that exactly n newer ones come after, or pgx.ErrNoRows if there are fewer.
	// Without Nth and Trim, the kind is kept by age alone, and a count is refused.
	Nth func(ctx context.Context, n int32) (time.Time, error)
	// Trim deletes at most limit records beyond the newest keep. It is called after Sweep, which does most of the work,
	// and deletes the rest of those that were made at the same moment.
	Trim func(ctx context.Context, keep, limit int32) (int64, error)
}

// Expiry deletes records that hold their own end, such as sessions. No Policy applies to them.
type Expiry struct {
	// What is deleted, in one word.
	What string
	// Sweep deletes the records that have ended, and returns how many.
	Sweep func(ctx context.Context) (int64, error)
}

// Config is everything that a Deleter needs.
type Config struct {
	// DB is the database. Required.
	DB *db.DB
	// Logger receives one line for each Sweep that deleted something. Required.
	Logger *slog.Logger
	// Policy says how much is kept; a kind that is not in it has its default.
	Policy Policy
	// Sweepers and Expiries are for the records of other packages.
	Sweepers []Sweeper
	Expiries []Expiry
	// Swept counts deleted rows, and dropped partitions of the event log, by kind. Required.
	Swept *prometheus.CounterVec
}

// Deleter deletes old records. Several processes may have one for the same database, and may call Sweep at once.
type Deleter struct {
	cfg    Config
	db     *db.DB
	q      *sql.Queries
	policy Policy // with defaults
}

// New makes a Deleter. The error names a kind that is not known, or that cannot be kept by count.
func New(cfg Config) (*Deleter, error) {
	policy, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	return &Deleter{cfg: cfg, db: cfg.DB, q: sql.New(cfg.DB.Durable()), policy: policy}, nil
}

// complete returns the policy with defaults filled in.
func (c *Config) complete() (Policy, error) {
	out := Defaults()
	for _, s := range c.Sweepers {
		out[s.Kind] = s.Default
	}
	for kind, k := range c.Policy {
		if _, ok := out[kind]; !ok {
			kinds := make([]string, 0, len(out))
			for name := range out {
				kinds = append(kinds, name)
			}
			slices.Sort(kinds)
			return nil, fmt.Errorf("retention of %q: want one of %s", kind, strings.Join(kinds, ", "))
		}
		byAge := kind == Jobs // which River deletes
		for _, s := range c.Sweepers {
			byAge = byAge || s.Kind == kind && (s.Nth == nil || s.Trim == nil)
		}
		if byAge && k.Count > 0 {
			return nil, fmt.Errorf(
				"retention of %s: %q has a count; want an age or off, for %[1]s are kept by age alone", kind, k,
			)
		}
		out[kind] = k
	}
	return out, nil
}

// Keep returns how much is kept of a kind.
func (d *Deleter) Keep(kind string) Keep { return d.policy[kind] }

const (
	// sweepBatch is how many rows are deleted at once, and sweepPause the pause between two batches, in which others have
	// the database to themselves.
	sweepBatch = 1000
	sweepPause = 20 * time.Millisecond
	// keepLast is how many materializations of each asset keep their runs and events, however old they are.
	keepLast = 20
	// weeksAhead is for how many weeks to come the event log has partitions.
	weeksAhead = 2
)

// SweepNow calls Sweep with the database's time, so that a process whose clock is years ahead does not delete
// everything.
func (d *Deleter) SweepNow(ctx context.Context) error {
	databaseTime, err := d.q.DatabaseTime(ctx)
	if err != nil {
		return fmt.Errorf("read the database's time: %w", err)
	}
	_, err = d.Sweep(ctx, databaseTime)
	return err
}

// Sweep deletes what the policy does not keep, creates partitions of the event log for the weeks to come, and samples
// the sizes of tables. It returns how many rows, or partitions of the event log, it deleted of each kind. A kind that
// fails does not keep the others from being swept.
func (d *Deleter) Sweep(ctx context.Context, now time.Time) (map[string]int64, error) {
	swept := map[string]int64{}
	var troubles []error
	note := func(kind string, n int64, err error) {
		if n > 0 {
			swept[kind] += n
			d.cfg.Swept.WithLabelValues(kind).Add(float64(n))
		}
		if err != nil && !errors.Is(err, eventlog.ErrBusy) { // the next call tries again
			troubles = append(troubles, fmt.Errorf("%s: %w", kind, err))
		}
	}
	note("partitions of the event log", 0, eventlog.EnsurePartitions(ctx, d.db, now, weeksAhead))
	needed, err := d.q.NeededRuns(ctx, keepLast)
	note("runs that are needed", 0, err)
	if err == nil { // otherwise it is not known which runs may be deleted
		n, err := d.sweepEvents(ctx, now, needed)
		note(Events, n, err)
		n, err = d.sweepRuns(ctx, now, needed)
		note(Runs, n, err)
	}
	for _, s := range append(d.sweepers(), d.cfg.Sweepers...) {
		n, err := d.sweepBefore(ctx, now, s)
		note(s.Kind, n, err)
	}
	for _, x := range d.cfg.Expiries {
		n, err := x.Sweep(ctx)
		note(x.What, n, err)
	}
	note("sizes", 0, sampleSizes(ctx, d.db, d.q))
	if len(swept) > 0 {
		d.cfg.Logger.Info("old records deleted", "deleted", swept)
	}
	return swept, errors.Join(troubles...)
}

// batches calls sweep until it deletes less than a whole batch.
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

// sweepEvents drops the partitions of the event log that hold only what is not kept, and deletes single events beside
// them. Events of needed runs stay.
func (d *Deleter) sweepEvents(ctx context.Context, now time.Time, needed []uuid.UUID) (swept int64, err error) {
	keep := d.policy[Events]
	var first *eventlog.Cursor // of the newest keep.Count events
	if keep.Count > 0 {
		place, err := eventlog.NthNewest(ctx, d.db, keep.Count-1)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return 0, err
		}
		if err == nil {
			first = &place
		}
	}
	parts, err := eventlog.Partitions(ctx, d.db)
	if err != nil {
		return 0, err
	}
	for _, p := range parts {
		drop := keep.Age > 0 && p.Upto.Before(now.Add(-keep.Age))
		if !drop && first != nil && p.Upto.Before(now) {
			has, err := eventlog.HasFrom(ctx, d.db, p.Name, *first)
			if err != nil {
				return swept, err
			}
			drop = !has
		}
		if !drop {
			continue
		}
		if err := eventlog.DropPartition(ctx, d.db, p.Name, needed); err != nil {
			return swept, err
		}
		swept++
	}
	if keep.Age > 0 { // events that were kept for a run that is no longer needed
		_, err := batches(ctx, func(limit int32) (int64, error) {
			return eventlog.DeleteFromDefault(ctx, d.db, now.Add(-keep.Age), needed, int(limit))
		})
		if err != nil {
			return swept, err
		}
	}
	if first == nil {
		return swept, nil
	}
	n, err := batches(ctx, func(limit int32) (int64, error) {
		return eventlog.DeleteBefore(ctx, d.db, *first, needed, int(limit))
	})
	return swept + n, err
}

// sweepRuns deletes runs that have ended and are not needed, with their materializations, check results and backfills.
func (d *Deleter) sweepRuns(ctx context.Context, now time.Time, needed []uuid.UUID) (int64, error) {
	keep := d.policy[Runs]
	var below uuid.UUID
	if keep.Age > 0 {
		below = sql.FloorID(now.Add(-keep.Age))
	}
	if keep.Count > 0 {
		id, err := d.q.NthRun(ctx, int32(min(keep.Count-1, 1<<30)))
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
		return d.q.SweepRuns(ctx, sql.SweepRunsParams{Below: below, Needed: needed, Limit: limit})
	})
	if err != nil {
		return n, err
	}
	_, err = batches(ctx, func(limit int32) (int64, error) {
		return d.q.SweepMaterializations(ctx, sql.SweepMaterializationsParams{Below: below, Needed: needed, Limit: limit})
	})
	if err != nil {
		return n, err
	}
	_, err = batches(ctx, func(limit int32) (int64, error) {
		return d.q.SweepChecks(ctx, sql.SweepChecksParams{Below: below, Limit: limit})
	})
	if err != nil {
		return n, err
	}
	_, err = batches(ctx, func(limit int32) (int64, error) {
		return d.q.SweepBackfills(ctx, sql.SweepBackfillsParams{Below: below, Limit: limit})
	})
	return n, err
}

// sweepBefore deletes what is not kept of a Sweeper's kind.
func (d *Deleter) sweepBefore(ctx context.Context, now time.Time, s Sweeper) (int64, error) {
	keep := d.policy[s.Kind]
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
	more, err := batches(
		ctx,
		func(limit int32) (int64, error) {
			return s.Trim(ctx, int32(min(keep.Count, 1<<30)), limit) //nolint:gosec // bounded
		},
	)
	return n + more, err
}
