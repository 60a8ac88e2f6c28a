package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
)

// complaints keeps what a checker complains of.
type complaints struct {
	testing.TB
	lines []string
}

// Errorf implements testing.TB.
func (c *complaints) Errorf(format string, args ...any) {
	c.lines = append(c.lines, fmt.Sprintf(format, args...))
}

// goodRun is a run of storm_one and of storm_last, which waits for it, as it has to be once it succeeded.
const goodRun = `
INSERT INTO runs (id, assets, status, trigger_kind, config, tags, created_at, started_at, ended_at, timeout_seconds,
deadline_at)
VALUES ('00000000-0000-7000-8000-000000000001', '{storm_one,storm_last}', 'success', 'api',
    '{"storm_one": {"lines": 0}, "storm_last": {"lines": 0}}', '{}', now() - interval '9 s', now() - interval '8 s',
    now() - interval '1 s', 1, now() - interval '7 s');
INSERT INTO steps (run_id, asset, upstream, status, attempt, started_at, ended_at)
SELECT id, 'storm_one', '{}'::text[], 'success', 1, started_at, ended_at - interval '3 s' FROM runs
UNION ALL SELECT id, 'storm_last', '{storm_one}', 'success', 1, ended_at - interval '2 s', ended_at FROM runs;
INSERT INTO materializations (id, asset, run_id, attempt, metadata, created_at)
SELECT gen_random_uuid(), asset, run_id, 1, '{}', ended_at FROM steps;
INSERT INTO storm_ends SELECT run_id, asset, 1, 'success' FROM steps;
INSERT INTO events (run_id, at, type, level, asset, attempt, message)
SELECT '00000000-0000-7000-8000-000000000001', now() - interval '9 s' + n * interval '100 ms', type, 'info', asset,
CASE WHEN asset IS NOT NULL THEN 1 END, ''
FROM (VALUES (1, 'run_enqueued', NULL), (2, 'run_started', NULL), (3, 'step_started', 'storm_one'),
(4, 'log', 'storm_one'), (5, 'step_success', 'storm_one'),
    (6, 'materialization', 'storm_one'), (7, 'step_started', 'storm_last'), (8, 'log', 'storm_last'),
    (9, 'step_success', 'storm_last'),
    (10, 'materialization', 'storm_last'), (11, 'run_success', NULL)) AS e(n, type, asset) ORDER BY n;`

// TestLedgerFinds has the checker of chaos and faults look at a run that is right, and at the same with one thing
// wrong.
func TestLedgerFinds(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	const run = "'00000000-0000-7000-8000-000000000001'"
	for name, test := range map[string]struct{ wrong, want string }{
		"nothing": {"", ""},
		"a doubled line": {
			"INSERT INTO events (run_id, at, type, level, asset, attempt, message) SELECT run_id, at, " +
				"type, level, asset, attempt, message FROM events WHERE type = 'log' AND asset = 'storm_one'",
			"lines that were logged once and written twice: 1",
		},
		"a lost line": {
			"DELETE FROM events WHERE type = 'log' AND asset = 'storm_one'",
			"attempts with more or fewer lines than they logged: 1",
		},
		"two ends": {
			"INSERT INTO events (run_id, at, type, level, message) VALUES (" + run + ", now(), " +
				"'run_failure', 'error', '')",
			"runs that did not begin or end once: 1",
		},
		"no end": {
			"DELETE FROM events WHERE type = 'run_success'",
			"runs that did not begin or end once: 1",
		},
		"an open run": {
			"UPDATE runs SET status = 'started', ended_at = NULL",
			"runs whose status is not final: 1",
		},
		"a failed step": {
			"UPDATE steps SET status = 'failure' WHERE asset = 'storm_one'",
			"runs that succeeded with a step that did not: 1",
		},
		"an absent step": {
			"DELETE FROM steps WHERE asset = 'storm_last'",
			"runs whose steps are not those of its assets: 1",
		},
		"success and error": {
			`UPDATE runs SET error = '{"class": "timeout"}'`,
			"runs that succeeded with an error: 1",
		},
		"early for its end": {
			`UPDATE runs SET status = 'failure', error = '{"class": "timeout"}', deadline_at = now()`,
			"runs that were too late, and are no failure or were not: 1",
		},
		"failure, no cause": {
			`UPDATE runs SET status = 'failure', error = '{"class": "permanent"}'`,
			"runs that failed without a cause: 1",
		},
		"canceled by nobody": {
			"UPDATE runs SET status = 'canceled'",
			"runs canceled without a canceled step, or by nobody: 1",
		},
		"skipped, no cause": {
			"UPDATE steps SET status = 'skipped' WHERE asset = 'storm_last'",
			"steps skipped without a cause: 1",
		},
		"after the end": {
			"UPDATE steps SET ended_at = now() WHERE asset = 'storm_last'",
			"steps and materializations after the end of their run: 1",
		},
		"before its turn": {
			"UPDATE events SET asset = CASE asset WHEN 'storm_one' THEN 'storm_last' ELSE 'storm_one' " +
				"END WHERE type LIKE 'step%'",
			"steps that began before what they wait for had succeeded: 1",
		},
		"past a check": {"INSERT INTO check_results (id, asset, name, run_id, passed, severity, " +
			"blocking, message, metadata, created_at) VALUES (gen_random_uuid(), 'storm_one', 'c', " +
			"" + run + ", false, 'error', true, '', '{}', now())",
			"steps that ran though a blocking check did not pass: 1"},
		"a retry past a check": {"UPDATE steps SET blocked_by = 'c' WHERE asset = 'storm_one'; INSERT " +
			"INTO runs (id, assets, status, trigger_kind, config, tags, created_at, ended_at, " +
			"parent_run_id) VALUES (gen_random_uuid(), '{storm_last}', 'failure', 'retry', '{}', '{}', " +
			"now(), now(), " + run + ")",
			"retries without a step that did not succeed or whose check did not pass: 1"},
		"no end of an attempt": {
			"DELETE FROM events WHERE type = 'step_success' AND asset = 'storm_one'",
			"attempts that another began after without saying what became of them: 1",
		},
		"an end twice": {
			"INSERT INTO storm_ends SELECT * FROM storm_ends WHERE asset = 'storm_one'",
			"what is to be written with the end of an attempt, missing or there twice: 1",
		},
		"a place": {
			"INSERT INTO step_slots VALUES ('pool:storm', " + run + ", 'storm_one')",
			"places under limits left over: 1",
		},
		"a place at a source": {
			"INSERT INTO source_slots (source, slot, held_until) VALUES ('s', 1, now() + interval '1 h')",
			"places at sources left over: 1",
		},
		"a wait": {
			"INSERT INTO step_waits (run_id, asset, priority, keys, since) VALUES (" + run + ", " +
				"'storm_one', 2, '{k}', now())",
			"steps that wait for a place left over: 1",
		},
		"a job": {
			"INSERT INTO river_job (kind, queue, args, state, max_attempts) VALUES ('materialize', " +
				"'steps', '{}', 'available', 1)",
			"jobs left over: 1",
		},
		"a worker": {
			"INSERT INTO workers VALUES ('w', 'h', 1, now(), now())",
			"workers alive, other than 0: 1",
		},
		"a backfill": {
			"INSERT INTO backfills (id, assets, status, concurrency, priority, config, tags, " +
				"created_by, created_at) VALUES (gen_random_uuid(), '{a}', 'success', 1, 2, '{}', '{}', " +
				"'x', now()); INSERT INTO backfill_partitions SELECT id, 1, 'p', 'pending' FROM backfills",
			"backfills whose end does not follow from their partitions: 1",
		},
		"over a limit": {
			`INSERT INTO events (run_id, at, type, level, asset, attempt, message)
SELECT ('00000000-0000-7000-8000-00000000010' || n)::uuid, now() + after * interval '1 s', type, 'info', 'storm_b', 1,
''
FROM generate_series(1, 3) AS n, (VALUES ('step_started', 0), ('step_success', 1)) AS e(type, after) ORDER BY after`,
			"more steps at once than the limit asset:storm_b lets through: 1",
		},
	} {
		if _, err := d.Pool.Exec(t.Context(), stormTable+";"+goodRun+test.wrong); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		found := &complaints{TB: t}
		l := &ledger{t: found, db: d, once: true}
		l.follows()
		l.backfills()
		l.stormEnds()
		l.stormLines()
		l.withinLimits()
		l.noLeaks(0)
		all := strings.Join(found.lines, "\n")
		if test.want == "" && all != "" || !strings.Contains(all, test.want) {
			t.Errorf("%s: wanted %q, found:\n%s", name, test.want, all)
		}
		if _, err := d.Pool.Exec(t.Context(), `DROP TABLE storm_ends;
TRUNCATE runs, steps, materializations, events, check_results, step_slots, step_waits, source_slots, river_job, workers,
backfills CASCADE`); err != nil {
			t.Fatal(err)
		}
	}
}
