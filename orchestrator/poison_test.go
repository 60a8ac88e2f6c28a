package orchestrator_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/notify"
)

// poison has the database refuse to change the rows of a table for which a condition holds.
func poison(t *testing.T, d *db.DB, when, table, condition string) {
	t.Helper()
	if _, err := d.Pool.Exec(t.Context(), fmt.Sprintf(`
		CREATE OR REPLACE FUNCTION poisoned() RETURNS trigger LANGUAGE plpgsql
			AS 'BEGIN RAISE EXCEPTION ''poisoned''; END';
		CREATE TRIGGER poisoned BEFORE %s ON %s FOR EACH ROW WHEN (%s)
		EXECUTE FUNCTION poisoned()`, when, table, condition)); err != nil {
		t.Fatal(err)
	}
}

// TestPoisonedRow has one row of each housekeeping task fail, the first one that it comes to. The others go on, and the
// log tells of the row once.
func TestPoisonedRow(t *testing.T) {
	t.Parallel()
	type world struct {
		d     *db.DB
		front *orchestrator.Engine // does no work
	}
	exec := func(t *testing.T, w world, sql string, args ...any) {
		t.Helper()
		if _, err := w.d.Pool.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	ends := func(t *testing.T, w world, id uuid.UUID, status string) func(*orchestrator.Engine) {
		return func(*orchestrator.Engine) {
			t.Helper()
			if run, events := wait(t, w.front, id); run.Status != status {
				t.Errorf("the other run: %s, %v", run.Status, types(events))
			}
		}
	}
	two := func(t *testing.T, w world) (bad, good uuid.UUID) {
		t.Helper()
		request := orchestrator.RunRequest{Assets: []string{"a"}}
		return start(t, w.front, request).ID, start(t, w.front, request).ID
	}
	limitA := func(c *orchestrator.Config) { c.Limits = []orchestrator.Limit{{Key: "asset:a", Max: 1}} }
	minute := time.Now().UTC().Truncate(time.Minute)
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(receiver.Close)
	guard := notify.NewGuard()
	channel, err := notify.Parse("ops="+receiver.URL+"#whsec_"+strings.Repeat("A", 32), guard)
	if err != nil {
		t.Fatal(err)
	}
	withChannel := func(c *orchestrator.Config) { c.Channels = []*notify.Channel{channel} }
	for name, c := range map[string]struct {
		change func(*orchestrator.Config)
		// prepare poisons a row, and gives what waits for the other one.
		prepare func(t *testing.T, w world) (then func(*orchestrator.Engine))
		// silent: what fails is told elsewhere.
		silent bool
	}{
		"a step that waits": {change: limitA, prepare: func(t *testing.T, w world) func(*orchestrator.Engine) {
			start(t, w.front, orchestrator.RunRequest{Assets: []string{"a"}})
			bad, good := two(t, w)
			poison(t, w.d, "UPDATE", "steps", fmt.Sprintf("NEW.run_id = '%s'", bad))
			return ends(t, w, good, orchestrator.StatusSuccess)
		}},
		"a run past its time": {prepare: func(t *testing.T, w world) func(*orchestrator.Engine) {
			bad, good := two(t, w)
			exec(t, w, `UPDATE runs SET status = 'started', started_at = now(), timeout_seconds = 1, deadline_at = now() -
				CASE WHEN id = $1 THEN interval '2 hours' ELSE interval '1 hour' END`, bad)
			exec(t, w, "UPDATE river_job SET scheduled_at = now() + interval '1 hour', state = 'scheduled'")
			poison(t, w.d, "UPDATE", "runs", fmt.Sprintf("NEW.id = '%s'", bad))
			return ends(t, w, good, orchestrator.StatusFailure)
		}},
		"a job of a dead worker": {prepare: func(t *testing.T, w world) func(*orchestrator.Engine) {
			bad, good := two(t, w)
			exec(t, w, `UPDATE river_job
				SET state = 'running', attempt = 1, attempted_at = now() - interval '1 hour', attempted_by = '{dead}'`)
			exec(t, w, "UPDATE steps SET status = 'started', attempt = 1, worker_id = 'dead'")
			exec(t, w, "UPDATE runs SET status = 'started', started_at = now()")
			poison(t, w.d, "UPDATE", "steps", fmt.Sprintf("NEW.run_id = '%s'", bad))
			return ends(t, w, good, orchestrator.StatusSuccess)
		}},
		"a step whose job is gone": {prepare: func(t *testing.T, w world) func(*orchestrator.Engine) {
			bad, good := two(t, w)
			exec(t, w, "DELETE FROM river_job")
			poison(t, w.d, "UPDATE", "steps", fmt.Sprintf("NEW.run_id = '%s'", bad))
			return ends(t, w, good, orchestrator.StatusSuccess)
		}},
		"a canceled run of a dead worker": {prepare: func(t *testing.T, w world) func(*orchestrator.Engine) {
			bad, good := two(t, w)
			exec(t, w, "DELETE FROM river_job")
			exec(t, w, "UPDATE steps SET status = 'started', attempt = 1, worker_id = 'dead'")
			exec(t, w, "UPDATE runs SET status = 'canceling', canceled_by = 'alice'")
			poison(t, w.d, "UPDATE", "steps", fmt.Sprintf("NEW.run_id = '%s'", bad))
			return ends(t, w, good, orchestrator.StatusCanceled)
		}},
		"a schedule": {change: func(c *orchestrator.Config) {
			c.Now = func() time.Time { return minute.Add(30 * time.Second) }
		}, prepare: func(t *testing.T, w world) func(*orchestrator.Engine) {
			exec(t, w, `INSERT INTO schedules (name, running, changed_at)
				VALUES ('s1', true, now() - interval '1 day'), ('s2', true, now() - interval '1 day')`)
			poison(t, w.d, "INSERT", "river_job", "NEW.args->>'schedule' = 's1'")
			return func(e *orchestrator.Engine) {
				until(t, e, "the other schedule fires", func() bool {
					return countRows(t, w.d, "SELECT count(*) FROM ticks WHERE schedule = 's2'") == 1
				})
			}
		}},
		"an alert held back": {change: withChannel, prepare: func(t *testing.T, w world) func(*orchestrator.Engine) {
			exec(t, w, `INSERT INTO alerts (id, cause, severity, title, detail, data, occurrences, opened_at, last_at, tell_at)
				SELECT gen_random_uuid(), c, 'warn', '', '', '{}', 1, now(), now(), now() - interval '1 hour'
				FROM unnest('{bad,good}'::text[]) c`)
			poison(t, w.d, "UPDATE", "alerts", "NEW.cause = 'bad'")
			return func(e *orchestrator.Engine) {
				until(t, e, "the other alert is told", func() bool {
					return countRows(t, w.d, "SELECT count(*) FROM alerts WHERE told_at IS NOT NULL") == 1
				})
			}
		}},
		"an asset's freshness": {prepare: func(t *testing.T, w world) func(*orchestrator.Engine) {
			for _, name := range []string{"f1", "f2"} {
				history(t, w.d, name, time.Now().Add(-time.Hour), orchestrator.StatusSuccess)
			}
			poison(t, w.d, "INSERT", "asset_freshness", "NEW.asset = 'f1'")
			return func(e *orchestrator.Engine) {
				until(t, e, "the other asset is late", func() bool {
					return countRows(t, w.d, "SELECT count(*) FROM asset_freshness WHERE asset = 'f2' AND state = 'late'") == 1
				})
			}
		}},
		"a backfill": {prepare: func(t *testing.T, w world) func(*orchestrator.Engine) {
			var ids []uuid.UUID
			for range 2 {
				b, _, err := w.front.StartBackfill(t.Context(),
					orchestrator.BackfillRequest{Assets: []string{"p"}, Keys: []string{"x"}})
				if err != nil {
					t.Fatal(err)
				}
				ids = append(ids, b.ID)
			}
			exec(t, w, "DELETE FROM river_job")
			poison(t, w.d, "UPDATE", "backfill_partitions", fmt.Sprintf("NEW.backfill_id = '%s'", ids[0]))
			return func(e *orchestrator.Engine) {
				until(t, e, "the other backfill ends", func() bool {
					return countRows(t, w.d, "SELECT count(*) FROM backfills WHERE status = 'success'") == 1
				})
			}
		}},
		"a partition of a backfill": {silent: true, prepare: func(t *testing.T, w world) func(*orchestrator.Engine) {
			poison(t, w.d, "INSERT", "runs", "NEW.partition = 'x'")
			if _, _, err := w.front.StartBackfill(t.Context(), orchestrator.BackfillRequest{Assets: []string{"p"}}); err != nil {
				t.Fatal(err)
			}
			return func(e *orchestrator.Engine) {
				until(t, e, "the backfill ends", func() bool {
					return countRows(t, w.d, "SELECT count(*) FROM backfills WHERE status = 'failure'") == 1
				})
				if n := countRows(t, w.d, `SELECT count(*) FROM backfill_partitions WHERE partition = 'x' AND status = 'failure'
					AND error LIKE '%poisoned%' OR partition <> 'x' AND status = 'success'`); n != 3 {
					t.Errorf("%d partitions stand as they should", n)
				}
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := dbtest.NewWatched(t)
			partitioned := asset("p", nil, nil)
			partitioned.Partitions = orchestrator.StaticPartitions("letters", "x", "y", "z")
			f1, f2 := asset("f1", nil, nil), asset("f2", nil, nil)
			f1.Freshness, f2.Freshness = &orchestrator.Freshness{
				MaxAge: time.Minute,
			}, &orchestrator.Freshness{
				MaxAge: time.Minute,
			}
			defs := define(
				t,
				[]*orchestrator.Asset{asset("a", nil, nil), partitioned, f1, f2},
				[]*orchestrator.Job{{Name: "j", Assets: []string{"a"}}},
				&orchestrator.Schedule{
					Name: "s1",
					Job:  "j",
					Cron: "* * * * *",
				},
				&orchestrator.Schedule{Name: "s2", Job: "j", Cron: "* * * * *"},
			)
			change := c.change
			if change == nil {
				change = func(*orchestrator.Config) {}
			}
			w := world{
				d:     d,
				front: startEngine(t, d, defs, change, func(c *orchestrator.Config) { c.Work, c.Heartbeat = false, time.Hour }),
			}
			then := c.prepare(t, w)
			told, listening := hear(t, "a row fails; it is tried again")
			e := startEngine(t, d, defs, change, listening)
			then(e)
			if c.silent {
				return
			}
			line := receive(t, "the row that failed is told of", told)
			if !strings.Contains(line, "poisoned") {
				t.Error(line)
			}
			beats(t, e, 5)
			var more []string
			for len(told) > 0 {
				more = append(more, <-told)
			}
			if slices.Contains(more, line) {
				t.Errorf("it is told again: %v", more)
			}
		})
	}
}

// TestHungTask has one housekeeping task wait for a lock that it does not get: the others are done all the same, and
// the worker goes on saying that it lives.
func TestHungTask(t *testing.T) {
	t.Parallel()
	d := dbtest.NewWatched(t)
	defs := define(t, []*orchestrator.Asset{asset("a", nil, nil)}, nil)
	front := startEngine(t, d, defs, func(c *orchestrator.Config) { c.Work = false })
	run := start(t, front, orchestrator.RunRequest{Assets: []string{"a"}})
	if _, err := d.Pool.Exec(t.Context(), "DELETE FROM river_job"); err != nil {
		t.Fatal(err)
	}
	tx, err := d.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.WithoutCancel(t.Context()))
	if _, err := tx.Exec(t.Context(), "LOCK TABLE step_slots IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	e := startEngine(t, d, defs)
	if got, events := wait(t, front, run.ID); got.Status != orchestrator.StatusSuccess {
		t.Errorf("%s, %v", got.Status, types(events))
	}
	beats(t, e, 10) // 2 s, while a task waits for 5
	if n := countRows(t, d, "SELECT count(*) FROM workers WHERE beat_at > now() - interval '2 seconds'"); n != 1 {
		t.Error("the worker looks dead")
	}
}
