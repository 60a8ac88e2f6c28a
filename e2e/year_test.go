//go:build unix

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/retention"
)

// yearOfRuns writes the runs of one day as the engine does: a run, a step, a materialization and six events for each,
// in the order of time. $1 is the day, $2 how many runs.
var yearOfRuns = []string{
	`CREATE TEMP TABLE made ON COMMIT DROP AS
SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7000' || '8000' ||
lpad(to_hex(i), 12, '0'))::uuid AS id, at, i,
       CASE WHEN i % 500 = 0 THEN 'failure' ELSE 'success' END AS status,
       (ARRAY['fetch_latest_bills', 'monitor_fetch_operations', 'bill_statistics', 'fetch_parliament_session_bills',
       'bills_introduced_by_day'])[1 + i % 5] AS asset
FROM (SELECT i, $1::timestamptz + i * (interval '1 day' / $2::int) AS at
FROM generate_series(0, $2::int - 1) AS i) AS t`,
	`INSERT INTO runs (id, job, assets, status, trigger_kind, trigger_name, config, tags, created_at, started_at, ended_at)
SELECT id, CASE WHEN i % 5 = 0 THEN 'fetch_bills_job' END, ARRAY[asset], status,
CASE WHEN i % 5 = 0 THEN 'schedule' ELSE 'api' END,
CASE WHEN i % 5 = 0 THEN 'fetch_bills_hourly' ELSE 'key dashboard' END,
       jsonb_build_object(asset, jsonb_build_object('limit', 50)),
       CASE WHEN i % 5 = 0 THEN '{"schedule": "fetch_bills_hourly"}' ELSE '{}' END::jsonb, at, at,
       at + interval '1 second' FROM made ORDER BY at`,
	`INSERT INTO steps (run_id, asset, upstream, status, attempt, job_id, worker_id, started_at, ended_at)
		SELECT id, asset, '{}', status, 1, i, 'worker-1-abcdef01', at, at + interval '1 second' FROM made ORDER BY at`,
	`INSERT INTO materializations (id, asset, run_id, attempt, metadata, created_at)
SELECT id, asset, id, 1,
'{"bills_fetched": 50, "bills_created": 0, "bills_updated": 1, "bills_unchanged": 49,
"error_count": 0, "duration_seconds": 0.91, "fetch_timestamp": "2026-06-18T12:00:00Z"}',
at + interval '1 second' FROM made WHERE status = 'success' ORDER BY at`,
	`INSERT INTO events (run_id, at, type, level, asset, attempt, message, data)
SELECT m.id, m.at + e.after, replace(e.type, 'END', m.status), 'info', CASE WHEN e.step THEN m.asset END,
CASE WHEN e.step THEN 1 END, m.asset || ' ' || e.type,
       CASE WHEN e.type = 'materialization' THEN
       '{"materialization_id": "0197841c-2a00-7aaa-8000-000000000001", 
         "metadata": {"bills_fetched": 50, "error_count": 0}}'::jsonb
       END
FROM made m
CROSS JOIN (VALUES (1, interval '0', 'run_enqueued', false), (2, '10 ms', 'run_started', false),
(3, '10 ms', 'step_started', true), (4, '1 s', 'materialization', true), (5, '1 s', 'step_END', true),
(6, '1 s', 'run_END', false)) AS e (n, after, type, step)
WHERE e.type <> 'materialization' OR m.status = 'success' ORDER BY m.at, e.n`,
}

// TestYear is `make year`: a year of runs with their events, day by day, with retention on as it is in a deployment;
// then how fast pages are, and how large the database is. EXPLORER_YEAR says how many runs a day; 137,000 events a day,
// 50 million in the year, are 23,000 runs.
func TestYear(t *testing.T) {
	perDay, err := strconv.Atoi(os.Getenv("EXPLORER_YEAR"))
	if err != nil {
		t.Skip("takes its time: run `make year`")
	}
	days := 365
	if n, err := strconv.Atoi(os.Getenv("EXPLORER_YEAR_DAYS")); err == nil {
		days = n
	}
	keep := 30 * 24 * time.Hour
	b := &bench{T: t, wanted: "1"}
	d := b.postgres()
	ctx := context.Background()
	noop := orchestrator.NewAsset(orchestrator.AssetOptions{Name: "noop"},
		func(context.Context, *orchestrator.Step, none) (orchestrator.Metadata, error) { return nil, nil })
	defs, err := orchestrator.NewDefinitions(orchestrator.Declarations{Assets: []*orchestrator.Asset{noop}})
	b.must(err)
	e, err := orchestrator.New(orchestrator.Config{DB: d, Definitions: defs, Logger: slog.New(slog.DiscardHandler),
		Retention: retention.Policy{retention.Events: {Age: keep}, retention.Runs: {Age: keep}}})
	b.must(err)
	b.must(e.Start(ctx))
	first := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -days)
	var sweeping, longest time.Duration
	var events int64
	began := time.Now()
	for day := range days {
		at := first.AddDate(0, 0, day)
		b.must(eventlog.EnsurePartitions(ctx, d, at, 1))
		b.must(pgx.BeginFunc(ctx, d.Relaxed, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "SET LOCAL statement_timeout = 0"); err != nil {
				return err
			}
			for i, sql := range yearOfRuns {
				args := []any{pgx.QueryExecModeExec}
				if i == 0 {
					args = append(args, at, perDay)
				}
				tag, err := tx.Exec(ctx, sql, args...)
				if err != nil {
					return fmt.Errorf("%.40s: %w", sql, err)
				}
				if i == len(yearOfRuns)-1 {
					events += tag.RowsAffected()
				}
			}
			return nil
		}))
		started := time.Now()
		_, err := e.Retention().Sweep(ctx, at.AddDate(0, 0, 1))
		b.must(err)
		took := time.Since(started)
		sweeping, longest = sweeping+took, max(longest, took)
		if day%30 == 29 || day == days-1 {
			var size int64
			var runs, held int
			b.must(d.Pool.QueryRow(ctx, "SELECT pg_database_size(current_database()), (SELECT count(*) FROM runs), (SELECT "+
				"count(*) FROM events)").Scan(&size, &runs, &held))
			fmt.Printf("day %3d: %d runs and %d events written, %d and %d held, %.2f GB; %s so far, of which %s retention (a "+
				"day at most %s)\n",
				day+1, (day+1)*perDay, events, runs, held, float64(size)/1e9, time.Since(began).Round(time.Second),
				sweeping.Round(time.Second), longest.Round(100*time.Millisecond))
		}
	}
	tables, err := d.Storage(ctx)
	b.must(err)
	for _, table := range tables[:6] {
		fmt.Printf("  %-20s %8.1f MB\n", table.Name, float64(table.Bytes)/1e6)
	}

	url, stop := b.serve(d, e)
	defer stop()
	get := func(path string) (cursor string, took time.Duration) {
		started := time.Now()
		resp, err := client.Get(url + path)
		b.must(err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		b.must(err)
		took = time.Since(started)
		if resp.StatusCode != http.StatusOK {
			b.Fatalf("%s: %s", path, body)
		}
		var list struct {
			NextCursor *string `json:"next_cursor"`
		}
		b.must(json.Unmarshal(body, &list))
		if list.NextCursor != nil {
			cursor = *list.NextCursor
		}
		return cursor, took
	}
	for _, path := range []string{"/runs?limit=50", "/runs?limit=50&status=failure",
		"/runs?limit=50&asset=bill_statistics", "/runs?limit=50&tag=schedule:fetch_bills_hourly",
		"/runs?limit=50&job=fetch_bills_job"} {
		var all []time.Duration
		for i, cursor := 0, ""; i < 500; i++ {
			at := path
			if cursor != "" {
				at += "&cursor=" + cursor
			}
			var took time.Duration
			cursor, took = get(at)
			all = append(all, took)
		}
		p50, p99 := quantiles(all)
		b.line("GET "+path, ms(p99)+" (p50 "+ms(p50)+")", "<= 30 ms", "")
	}
	rows, err := d.Pool.Query(ctx, "SELECT id FROM runs TABLESAMPLE SYSTEM (1) LIMIT 500")
	b.must(err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	b.must(err)
	var all []time.Duration
	for _, id := range ids {
		_, took := get("/runs/" + id.String() + "/events")
		all = append(all, took)
	}
	p50, p99 := quantiles(all)
	b.line(fmt.Sprintf("GET /runs/{id}/events of %d runs", len(ids)), ms(p99)+" (p50 "+ms(p50)+")", "<= 30 ms", "")
}
