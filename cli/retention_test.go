package cli

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/cli/node"
	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
)

// seeded is how many rows of each kind there are: two of the same moment for each day, the first ones an hour old.
const seeded = 40

// tables are those of each kind, with what makes a row of them: $1 is its number, from 1, and $2 its time.
var tables = map[string][]struct{ table, insert string }{
	"events": {{"events", `INSERT INTO events (run_id, at, type, level, message) VALUES (gen_random_uuid(), $2, 'log', 'info', $1::int::text)`}},
	"runs": {{"runs", `INSERT INTO runs (id, assets, status, trigger_kind, config, tags, created_at, ended_at)
		VALUES ((lpad(to_hex((extract(epoch FROM $2::timestamptz) * 1000)::bigint), 12, '0') || '70008' ||
		lpad(to_hex($1::int), 15, '0'))::uuid, '{a}', 'failure', 'api', '{}', '{}', $2, $2)`}},
	"ticks": {
		{"ticks", `INSERT INTO ticks (schedule, kind, scheduled_for, status, created_at) VALUES ('s', 'scheduled', $2::timestamptz + $1::int * interval '1 ms', 'success', $2)`},
		{"sensor_ticks", `INSERT INTO sensor_ticks (sensor, kind, status, run_ids, repeated_keys, duration_seconds, evaluations, created_at, last_at) VALUES ('s' || $1::int, 'scheduled', 'skipped', '{}', '{}', 0, 1, $2, $2)`},
	},
	"deliveries": {
		{"alerts", `INSERT INTO alerts (id, cause, severity, title, detail, data, occurrences, opened_at, last_at, recovered_at, tell_at) VALUES (gen_random_uuid(), 'c' || $1::int, 'warn', '', '', '{}', 1, $2, $2, $2, $2)`},
		{"deliveries", `INSERT INTO deliveries (id, channel, kind, status, message, created_at) VALUES (gen_random_uuid(), 'ops', 'test', 'delivered', $1::int::text, $2)`},
	},
	"webhooks":   {{"webhook_events", `INSERT INTO webhook_events (sensor, webhook_id, content_type, body, received_at, processed_at) VALUES ('s', $1::int::text, '', '', $2, $2)`}},
	"run_keys":   {{"run_keys", `INSERT INTO run_keys (sensor, key, run_id, created_at) VALUES ('s', $1::int::text, gen_random_uuid(), $2)`}},
	"fetch_logs": {{"fetch_logs", `INSERT INTO fetch_logs (id, asset, source, status, records_attempted, records_succeeded, records_failed, duration_seconds, params, errors, created_at) VALUES (gen_random_uuid(), 'a', 's', 'success', $1::int, 0, 0, 0, '{}', '[]', $2)`}},
	"audit":      {{"audit_log", `INSERT INTO audit_log (at, actor, operation, method, path, status, remote_address, request_id) VALUES ($2, 'a', 'o', 'GET', '/', 200, '', $1::int::text)`}},
}

// TestRetention checks each kind of record with a policy by age, by age and count, by count alone, and without a limit.
func TestRetention(t *testing.T) {
	t.Parallel()
	for form, want := range map[string]int{"10d": 20, "10d/7": 7, "10d/35": 20, "off/25": 25, "off/1": 1,
		"off/100": seeded, "off": seeded} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			d := dbtest.New(t)
			var given []string
			for kind := range tables {
				given = append(given, kind+"="+form)
			}
			e, err := retaining(t, d, given...)
			if err != nil {
				t.Fatal(err)
			}
			now := time.Now().UTC().Truncate(time.Second)
			for at := now.AddDate(0, 0, -28); at.Before(now); at = at.AddDate(0, 0, 7) { // as in their time
				if err := eventlog.EnsurePartitions(t.Context(), d, at, 0); err != nil {
					t.Fatal(err)
				}
			}
			for _, of := range tables {
				for _, table := range of {
					for i := range seeded {
						if _, err := d.Pool.Exec(t.Context(), table.insert, seeded-i,
							now.AddDate(0, 0, -(seeded-1-i)/2).Add(-time.Hour)); err != nil {
							t.Fatal(table.table, err)
						}
					}
				}
			}
			if _, err := d.Pool.Exec(t.Context(), `INSERT INTO sessions (token, data, expiry)
				VALUES ('over', '', now() - interval '1 hour'), ('valid', '', now() + interval '1 hour')`); err != nil {
				t.Fatal(err)
			}
			for range 2 { // what is kept stays so
				if _, err := e.Retention().Sweep(t.Context(), now); err != nil {
					t.Fatal(err)
				}
				for kind, of := range tables {
					for _, table := range of {
						var n int
						if err := d.Pool.QueryRow(t.Context(), "SELECT count(*) FROM "+table.table).Scan(&n); err != nil {
							t.Fatal(err)
						}
						late := 0
						if kind == "events" && want == 20 {
							late = 14 // by age they go in pieces of a week
						}
						if n < want || n > want+late {
							t.Errorf("%d of %s are left, want %d", n, table.table, want)
						}
					}
				}
				var sessions string
				if err := d.Pool.QueryRow(t.Context(), "SELECT string_agg(token, ' ') FROM sessions").Scan(&sessions); err != nil ||
					sessions != "valid" {
					t.Errorf("sessions left: %s, %v", sessions, err)
				}
			}
		})
	}
	d := dbtest.New(t)
	for _, form := range []string{"1d", "90m", "off"} {
		if _, err := retaining(t, d, "jobs="+form); err != nil {
			t.Errorf("jobs=%s: %v", form, err)
		}
	}
	for _, form := range []string{"1d/5", "off/5"} {
		if _, err := retaining(t, d, "jobs="+form); err == nil ||
			!strings.Contains(err.Error(), "jobs are kept by age alone") {
			t.Errorf("jobs=%s: %v", form, err)
		}
	}
	_, err := retaining(t, d, "nonsense=1d")
	if err == nil {
		t.Fatal("an unknown kind was taken")
	}
	_, list, _ := strings.Cut(err.Error(), "want one of ")
	for _, kind := range strings.Split(list, ", ") {
		if _, tested := tables[kind]; !tested && kind != "jobs" {
			t.Errorf("kind %s is not tested here", kind)
		}
	}
	if len(tables)+1 != len(strings.Split(list, ", ")) {
		t.Errorf("kinds are %s", list)
	}
}

// retaining makes an engine as a worker's RETENTION has it.
func retaining(t *testing.T, d *db.DB, given ...string) (*orchestrator.Engine, error) {
	t.Helper()
	keep, err := pipelineFlags{Retention: given}.retention()
	if err != nil {
		return nil, err
	}
	defs, err := orchestrator.NewDefinitions(orchestrator.Declarations{})
	if err != nil {
		return nil, fmt.Errorf("definitions: %w", err)
	}
	return orchestrator.New(orchestrator.Config{DB: d, Definitions: defs, Logger: slog.New(slog.DiscardHandler),
		Retention: keep, Sweepers: node.Sweepers(d), Expiries: node.Expiries(d)})
}
