package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/cron"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// Freshness says how old an asset may get. Set either MaxAge or By.
type Freshness struct {
	// MaxAge is how long after its last materialization the asset is fresh.
	MaxAge time.Duration
	// By is a cron expression of deadlines, e.g. "30 3 * * *" for by 03:30 each day: from each deadline on, the asset is
	// late until it is materialized, unless it was since the deadline before.
	By string
	// TimeZone is the IANA name of By's zone; default America/Toronto.
	TimeZone string

	times cron.Schedule
}

// States of freshness. An asset that was never materialized is unknown.
const (
	FreshnessFresh   = "fresh"
	FreshnessLate    = "late"
	FreshnessUnknown = "unknown"
)

func (f *Freshness) check() error {
	if f.TimeZone == "" {
		f.TimeZone = DefaultTimeZone
	}
	switch {
	case (f.MaxAge > 0) == (f.By != ""):
		return errors.New("freshness: want a maximal age or deadlines")
	case f.MaxAge < 0:
		return fmt.Errorf("freshness: maximal age %s: want more than 0", f.MaxAge)
	case f.By == "":
		return nil
	}
	var err error
	f.times, err = cron.Parse(f.By, f.TimeZone)
	return err
}

// State returns the state of an asset by its last materialization. lateSince is when it became late, or when it will if
// it is not materialized before; nil if that is not known. The Freshness must be that of Definitions.
func (f *Freshness) State(last *time.Time, now time.Time) (state string, lateSince *time.Time) {
	if last == nil {
		return FreshnessUnknown, nil
	}
	var late time.Time
	if f.MaxAge > 0 {
		late = last.Add(f.MaxAge)
	} else { // the second deadline after the last materialization: the first one it has met
		first := f.times.Next(*last)
		if first.IsZero() {
			return FreshnessFresh, nil
		}
		if late = f.times.Next(first); late.IsZero() {
			return FreshnessFresh, nil
		}
	}
	late = late.UTC()
	if now.Before(late) {
		return FreshnessFresh, &late
	}
	return FreshnessLate, &late
}

// String returns the policy in words.
func (f *Freshness) String() string {
	if f.MaxAge > 0 {
		return "at most " + f.MaxAge.String() + " old"
	}
	return "by " + f.By + " (" + f.TimeZone + ")"
}

// AssetFreshness is how fresh an asset is.
type AssetFreshness struct {
	Policy    *Freshness
	State     string
	LateSince *time.Time // when it became late, or will
}

// FreshnessOf returns how fresh an asset is by its latest materialization; nil if it has no policy.
func (e *Engine) FreshnessOf(a *Asset, latest map[string]Materialization) *AssetFreshness {
	if a.Freshness == nil {
		return nil
	}
	out := &AssetFreshness{Policy: a.Freshness}
	var last *time.Time
	if m, ok := latest[a.Name]; ok {
		last = &m.CreatedAt
	}
	out.State, out.LateSince = a.Freshness.State(last, e.now())
	return out
}

// watchFreshness records when an asset becomes late or fresh, and raises or recovers its alert, once for all workers.
func (e *Engine) watchFreshness(ctx context.Context) error {
	var names []string
	for _, a := range e.defs.assets {
		if a.Freshness != nil {
			names = append(names, a.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	latest, err := e.LatestMaterializations(ctx, names)
	if err != nil {
		return err
	}
	known, err := e.q.ListFreshness(ctx)
	if err != nil {
		return err
	}
	states := map[string]string{}
	for _, k := range known {
		states[k.Asset] = k.State
	}
	names = slices.DeleteFunc(
		names, func(name string) bool { return states[name] == e.FreshnessOf(e.defs.byAsset[name], latest).State },
	)
	return eachRow(
		ctx,
		e,
		"watch freshness",
		names,
		func(name string) string { return name },
		func(ctx context.Context, name string) error {
			return e.recordFreshness(ctx, e.defs.byAsset[name])
		},
	)
}

// clockSkew is how far apart the clocks of two workers may be before they disagree about what is late.
const clockSkew = time.Minute

// recordFreshness records the state of an asset whose state seems to have changed. It decides under the lock of the
// asset's row, because another worker may have recorded the change, or a run materialized the asset, meanwhile.
func (e *Engine) recordFreshness(ctx context.Context, a *Asset) error {
	return e.db.Tx(ctx, func(tx pgx.Tx) error {
		q := e.q.WithTx(tx)
		held, err := q.LockFreshness(ctx, sql.LockFreshnessParams{Asset: a.Name, At: e.now()})
		if err != nil {
			return err
		}
		at := e.now() // read here, because the lock may take a while
		if held.Since.After(at) && held.Since.Sub(at) < clockSkew {
			at = held.Since // by another worker's clock, which is ahead of this one
		}
		latest, err := q.LatestMaterializations(ctx, []string{a.Name})
		if err != nil {
			return err
		}
		var last *time.Time
		if len(latest) > 0 {
			last = &latest[0].CreatedAt
		}
		state, lateSince := a.Freshness.State(last, at)
		if state == held.State {
			return nil
		}
		if err := q.SetFreshness(ctx, sql.SetFreshnessParams{Asset: a.Name, State: state, Since: at}); err != nil {
			return err
		}
		cause := "freshness:" + a.Name
		if err := e.alerts.LockTx(ctx, tx, []string{cause}); err != nil {
			return err
		}
		if state != FreshnessLate {
			return e.alerts.RecoverTx(ctx, tx, cause, at)
		}
		return e.alerts.RaiseTx(ctx, tx, Alert{
			Cause: cause, Title: a.Name + " is late",
			Detail: fmt.Sprintf("It should be %s; its last materialization was at %s.",
				a.Freshness, last.UTC().Format(time.RFC3339)),
			Data: map[string]any{
				"asset":                a.Name,
				"policy":               a.Freshness.String(),
				"late_since":           lateSince,
				"last_materialized_at": last.UTC(),
			},
		}, at)
	})
}
