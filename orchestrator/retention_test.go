package orchestrator_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/retention"
)

func TestParseKeep(t *testing.T) {
	for given, want := range map[string]retention.Keep{
		"events=90d": {Age: 90 * 24 * time.Hour}, "runs=180d/1000": {Age: 180 * 24 * time.Hour, Count: 1000}, "ticks=off": {}, "ticks=off/5": {Count: 5}, "jobs=90m": {Age: 90 * time.Minute},
	} {
		kind, k, err := retention.ParseKeep(given)
		if err != nil || k != want || kind != strings.Split(given, "=")[0] {
			t.Errorf("%s: %s %+v, %v", given, kind, k, err)
		}
		if _, again, err := retention.ParseKeep(kind + "=" + k.String()); err != nil || again != k {
			t.Errorf("%s: written as %s, which is %+v, %v", given, k, again, err)
		}
	}
	for _, bad := range []string{
		"", "events", "=1d", "events=", "events=1", "events=-1d", "events=0d", "events=1s", "events=1d/0", "events=1d/x",
		"events=99999d", "events=9999999999999999999h",
	} {
		if _, k, err := retention.ParseKeep(bad); err == nil {
			t.Errorf("%q: %+v", bad, k)
		}
	}
	_, err := orchestrator.New(orchestrator.Config{
		DB:          dbtest.New(t),
		Definitions: define(t, nil, nil),
		Logger:      testLogger(t),
		Retention:   retention.Policy{"evnets": {}},
	})
	if err == nil || !strings.Contains(err.Error(), "evnets") {
		t.Errorf("an unknown kind: %v", err)
	}
}

// history writes a finished run of an asset as of a time, with an event.
func history(t *testing.T, d *db.DB, asset string, at time.Time, status string) uuid.UUID {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	ms := at.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	var ended *time.Time
	if status == orchestrator.StatusSuccess {
		ended = &at
	}
	_, err := d.Pool.Exec(
		t.Context(),
		`INSERT INTO runs (id, assets, status, trigger_kind, config, tags, created_at, ended_at)
			VALUES ($1, ARRAY[$2], $3, 'api', '{}', '{}', $4, $5)`,
		id,
		asset,
		status,
		at,
		ended,
	)
	if err == nil {
		_, err = d.Pool.Exec(
			t.Context(), `INSERT INTO steps (run_id, asset, upstream, status) VALUES ($1, $2, '{}', $3)`, id, asset,
			status,
		)
	}
	if err == nil {
		_, err = d.Pool.Exec(
			t.Context(),
			`INSERT INTO events (run_id, at, type, level, message)
				VALUES ($1, $2, 'log', 'info', 'x'), ($1, $2, 'log', 'info', 'y')`,
			id,
			at,
		)
	}
	if err == nil && status == orchestrator.StatusSuccess {
		_, err = d.Pool.Exec(
			t.Context(),
			`INSERT INTO materializations (id, asset, run_id, attempt, metadata, created_at) VALUES ($1, $2, $3, 1, '{}', $4)`,
			id, asset, id, at,
		)
	}
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func countRows(t *testing.T, d *db.DB, sql string, args ...any) (n int) {
	t.Helper()
	if err := d.Pool.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// pieces makes the pieces of the event log of past weeks, which were made in their time.
func pieces(t *testing.T, d *db.DB, from, upto time.Time) {
	t.Helper()
	for at := from; at.Before(upto); at = at.AddDate(0, 0, 7) {
		if err := eventlog.EnsurePartitions(t.Context(), d, at, 0); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSweep(t *testing.T) {
	d := dbtest.New(t)
	e := startEngine(
		t,
		d,
		define(t, []*orchestrator.Asset{asset("a", nil, nil), asset("rare", nil, nil)}, nil),
		func(c *orchestrator.Config) {
			c.Work = false
			c.Retention = retention.Policy{
				retention.Events: {Age: 30 * 24 * time.Hour},
				retention.Runs:   {Age: 60 * 24 * time.Hour},
				retention.Ticks:  {Age: 24 * time.Hour, Count: 3},
			}
		},
	)
	now := time.Now().UTC()
	pieces(t, d, now.AddDate(0, 0, -120), now)
	rare := history(t, d, "rare", now.AddDate(0, 0, -119), orchestrator.StatusSuccess)
	stuck := history(t, d, "a", now.AddDate(0, 0, -118), orchestrator.StatusStarted)
	var old, middle, fresh []uuid.UUID
	for i := range 30 { // more than an asset's last ones
		old = append(
			old,
			history(t, d, "a", now.AddDate(0, 0, -100).Add(time.Duration(i)*time.Minute), orchestrator.StatusSuccess),
		)
	}
	for i := range 5 {
		middle = append(
			middle,
			history(t, d, "a", now.AddDate(0, 0, -45).Add(time.Duration(i)*time.Minute), orchestrator.StatusSuccess),
		)
	}
	for i := range 18 {
		fresh = append(
			fresh,
			history(t, d, "a", now.AddDate(0, 0, -3).Add(time.Duration(i)*time.Minute), orchestrator.StatusSuccess),
		)
	}
	for i := range 6 {
		_, err := d.Pool.Exec(
			t.Context(),
			`INSERT INTO ticks (schedule, kind, scheduled_for, status, created_at) VALUES ('s', 'scheduled', $1, 'success', $1)`,
			now.Add(-time.Duration(6-i)*time.Hour),
		)
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // what is swept stays swept, and nothing else goes
		if _, err := e.Retention().Sweep(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		// Of "a" the last 20 materializations are needed: 18 fresh ones and 2 of the middle.
		for _, c := range []struct {
			name         string
			ids          []uuid.UUID
			runs, events int
		}{
			{"old ones", old, 0, 0}, {"of the middle, not needed", middle[:3], 3, 0}, {"of the middle, needed", middle[3:], 2, 4},
			{"fresh ones", fresh, 18, 36}, {"a rare asset's", []uuid.UUID{rare}, 1, 2}, {"one that has not ended", []uuid.UUID{stuck}, 1, 2},
		} {
			runs := countRows(t, d, "SELECT count(*) FROM runs WHERE id = ANY($1)", c.ids)
			steps := countRows(t, d, "SELECT count(*) FROM steps WHERE run_id = ANY($1)", c.ids)
			events := countRows(t, d, "SELECT count(*) FROM events WHERE run_id = ANY($1)", c.ids)
			if runs != c.runs || steps != c.runs || events != c.events {
				t.Errorf("%s: %d runs with %d steps and %d events, want %d and %d", c.name, runs, steps, events, c.runs, c.events)
			}
		}
		if n := countRows(t, d, "SELECT count(*) FROM ticks"); n != 3 {
			t.Errorf("%d ticks, want 3", n)
		}
	}
	events, err := e.Events().OfRun(t.Context(), rare, 0, 10)
	if err != nil || len(events) != 2 {
		t.Errorf("the events of a run that is needed: %v, %v", events, err)
	}
	parts, err := eventlog.Partitions(t.Context(), d)
	if err != nil || parts[0].Upto.Before(now.AddDate(0, 0, -30)) || len(parts) > 9 {
		t.Errorf("pieces of the log: %+v, %v", parts, err)
	}
	if n := countRows(t, d, "SELECT count(*) FROM materializations WHERE run_id = ANY($1)", old); n != 0 {
		t.Errorf("%d materializations of runs that are gone", n)
	}
	if n := countRows(t, d, "SELECT count(*) FROM storage_samples WHERE table_name = 'events' AND bytes > 0"); n != 1 {
		t.Error("the size of the event log was not noted")
	}
}

// TestSweepGoesOnInTheBackground finds what is old deleted by the periodic job.
func TestSweepGoesOnInTheBackground(t *testing.T) {
	d := dbtest.NewWatched(t)
	id := history(t, d, "a", time.Now().AddDate(0, 0, -400), orchestrator.StatusSuccess)
	for range 20 {
		history(t, d, "a", time.Now().Add(-time.Hour), orchestrator.StatusSuccess)
	}
	e := startEngine(t, d, define(t, []*orchestrator.Asset{asset("a", nil, nil)}, nil))
	until(
		t, e, "the old run is deleted",
		func() bool { return countRows(t, d, "SELECT count(*) FROM runs WHERE id = $1", id) == 0 },
	)
}

// TestWrongClock has events written as of a week to come, for which there is no place yet, and makes that place.
func TestWrongClock(t *testing.T) {
	d := dbtest.New(t)
	future := time.Now().AddDate(0, 0, 70)
	id := history(t, d, "a", future, orchestrator.StatusSuccess)
	if n := countRows(t, d, "SELECT count(*) FROM events_default"); n != 2 {
		t.Fatalf("%d events in the default piece", n)
	}
	for range 2 {
		if err := eventlog.EnsurePartitions(t.Context(), d, future, 1); err != nil {
			t.Fatal(err)
		}
	}
	if n := countRows(t, d, "SELECT count(*) FROM events_default"); n != 0 {
		t.Errorf("%d events stayed in the default piece", n)
	}
	e := startEngine(
		t, d, define(t, []*orchestrator.Asset{asset("a", nil, nil)}, nil),
		func(c *orchestrator.Config) { c.Work = false },
	)
	if events, err := e.Events().OfRun(t.Context(), id, 0, 10); err != nil || len(events) != 2 {
		t.Errorf("events %v, %v", events, err)
	}
}

// TestLogInUse finds that a piece of the log that is being read is dropped later rather than waited for.
func TestLogInUse(t *testing.T) {
	d := dbtest.New(t)
	past := time.Now().AddDate(0, 0, -70)
	pieces(t, d, past, past.Add(time.Hour))
	parts, err := eventlog.Partitions(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := d.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "SELECT count(*) FROM events"); err != nil {
		t.Fatal(err)
	}
	if err := eventlog.DropPartition(t.Context(), d, parts[0].Name, nil); !errors.Is(err, eventlog.ErrBusy) {
		t.Errorf("while it is read: %v", err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := eventlog.DropPartition(t.Context(), d, parts[0].Name, nil); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestLogOfAnotherCluster restores, so to speak, a log whose transaction ids are far ahead of this cluster's: what
// happens from now on comes after it, for streams and for sensors.
func TestLogOfAnotherCluster(t *testing.T) {
	d := dbtest.NewWatched(t)
	defs, err := orchestrator.NewDefinitions(orchestrator.Declarations{
		Assets: []*orchestrator.Asset{
			asset("a", nil, nil),
			asset("b", nil, nil),
		}, Jobs: []*orchestrator.Job{{Name: "then", Assets: []string{"b"}}},
		Sensors: []*orchestrator.Sensor{
			orchestrator.NewAssetSensor(
				orchestrator.Sensor{
					Name: "after_a",
					Jobs: []string{"then"},
					Evaluate: func(_ context.Context, ev *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
						r := &orchestrator.SensorResult{}
						for _, x := range ev.Materializations {
							r.Runs = append(r.Runs, orchestrator.RunRequest{Job: "then", RunKey: x.RunID.String()})
						}
						return r, nil
					},
				},
				"a",
			),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	e := startEngine(t, d, defs)
	if _, err := e.SetSensor(t.Context(), "after_a", true); err != nil {
		t.Fatal(err)
	}
	wait(t, e, start(t, e, orchestrator.RunRequest{Assets: []string{"a"}}).ID)
	chained := func() int {
		return countRows(t, d, "SELECT count(*) FROM runs WHERE job = 'then' AND status = 'success'")
	}
	until(t, e, "the sensor starts the first run", func() bool { return chained() == 1 })
	stop, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := e.Stop(stop); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Pool.Exec(t.Context(), `UPDATE events
		SET xid = (xid::text::bigint + 5000000000)::text::xid8`); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Pool.Exec(t.Context(), `UPDATE sensors
		SET cursor = (split_part(cursor, '-', 1)::bigint + 5000000000) || substr(cursor, strpos(cursor, '-'))`); err != nil {
		t.Fatal(err)
	}
	again := startEngine(t, d, defs)
	wait(t, again, start(t, again, orchestrator.RunRequest{Assets: []string{"a"}}).ID)
	until(t, again, "the sensor starts the second run", func() bool { return chained() == 2 })
	if shift, err := d.AlignLog(t.Context()); err != nil || shift != 0 {
		t.Errorf("set right again: %d, %v", shift, err)
	}
	if n := countRows(t, d, "SELECT count(*) FROM runs WHERE job = 'then'"); n != 2 {
		t.Errorf("%d runs of the sensor", n)
	}
}
