package e2e_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db"
)

// ledger reads the tables after a storm. It shares no code with the engine: it knows what must be there, and nothing of
// how it came about.
type ledger struct {
	t    testing.TB
	db   *db.DB
	once bool // looks for leaks once, and does not wait
}

func (l *ledger) count(sql string, args ...any) (n int) {
	l.t.Helper()
	if err := l.db.Pool.QueryRow(l.t.Context(), sql, args...).Scan(&n); err != nil {
		l.t.Error(err)
	}
	return n
}

func (l *ledger) find(sql string, args ...any) ([]string, error) {
	rows, err := l.db.Pool.Query(l.t.Context(), sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// complain fails the test with what a query finds.
func (l *ledger) complain(what, sql string, args ...any) {
	l.t.Helper()
	found, err := l.find(sql, args...)
	l.report(what, found, err)
}

func (l *ledger) report(what string, found []string, err error) {
	l.t.Helper()
	if err != nil {
		l.t.Errorf("%s: %v", what, err)
	}
	if len(found) > 0 {
		l.t.Errorf("%s: %d: %s", what, len(found), strings.Join(found[:min(5, len(found))], "; "))
	}
}

// leaks complains of what a query still finds after a while.
func (l *ledger) leaks(within time.Duration, what, sql string, args ...any) {
	l.t.Helper()
	var found []string
	var err error
	if l.once {
		within = 0
	}
	comesAbout(l.t, within, func() bool {
		found, err = l.find(sql, args...)
		return err == nil && len(found) == 0
	})
	l.report(what, found, err)
}

// settle waits until nothing is left to be done.
func (l *ledger) settle(within time.Duration) {
	l.t.Helper()
	open := func() int {
		return l.count("SELECT count(*) FROM runs WHERE ended_at IS NULL") +
			l.count("SELECT count(*) FROM backfills WHERE ended_at IS NULL") +
			l.count("SELECT count(*) FROM sensors WHERE lease IS NOT NULL AND running AND lease_until < now()")
	}
	if comesAbout(l.t, within, func() bool { return open() == 0 }) {
		return
	}
	l.complain("runs that never end", `
SELECT r.id || ' ' || r.status || ' ' || s.asset || ' ' || s.status || ' attempt ' || s.attempt
    || ', job ' || coalesce(j.state::text, 'none')
FROM runs r JOIN steps s ON s.run_id = r.id LEFT JOIN river_job j ON j.id = s.job_id
    WHERE r.ended_at IS NULL ORDER BY 1`)
}

// follows complains of runs and steps that did not begin or end once, or whose end does not follow from what happened.
// It is long, because it has a query for each rule.
func (l *ledger) follows() {
	l.t.Helper()
	l.complain("runs whose status is not final", `
SELECT id || ' ' || status FROM runs WHERE status NOT IN ('success', 'failure', 'canceled') OR ended_at IS NULL`)
	l.complain("runs that did not begin or end once", `
SELECT r.id || ' ' || r.status || ': ' || string_agg(e.type, ' ' ORDER BY e.id) FROM runs r
    JOIN events e ON e.run_id = r.id GROUP BY r.id
HAVING count(*) FILTER (WHERE e.type = 'run_enqueued') <> 1 OR count(*) FILTER (WHERE e.type = 'run_started') > 1
    OR count(*) FILTER (WHERE e.type IN ('run_success', 'run_failure', 'run_canceled')) <> 1
    OR count(*) FILTER (WHERE e.type = 'run_' || r.status) <> 1
    OR (array_agg(e.type ORDER BY e.id))[1] <> 'run_enqueued'
    OR (array_agg(e.type ORDER BY e.id DESC))[1] <> 'run_' || r.status`)
	l.complain("runs without events", `
SELECT id::text FROM runs r WHERE NOT EXISTS (SELECT FROM events WHERE run_id = r.id)`)
	l.complain("steps whose status is not final", `
SELECT run_id || ' ' || asset || ' ' || status FROM steps
    WHERE status NOT IN ('success', 'failure', 'skipped', 'canceled')`)
	l.complain("steps that succeeded not recorded once", `
SELECT s.run_id || ' ' || s.asset || ': ' || count(m.id) FROM steps s
    LEFT JOIN materializations m ON m.run_id = s.run_id AND m.asset = s.asset
WHERE s.status = 'success' GROUP BY s.run_id, s.asset HAVING count(m.id) <> 1`)
	l.complain("materializations of steps that did not succeed", `
SELECT m.run_id || ' ' || m.asset FROM materializations m
    LEFT JOIN steps s ON s.run_id = m.run_id AND s.asset = m.asset WHERE s.status IS DISTINCT FROM 'success'`)
	l.complain("events of steps that are missing or there twice", `
SELECT s.run_id || ' ' || s.asset || ' ' || s.status || ' attempts ' || s.attempt || ': '
    || coalesce(string_agg(e.type || coalesce(' ' || e.attempt, ''), ', ' ORDER BY e.id), '')
FROM steps s LEFT JOIN events e ON e.run_id = s.run_id AND e.asset = s.asset
    AND e.type NOT IN ('log', 'progress') GROUP BY s.run_id, s.asset
HAVING count(*) FILTER (WHERE e.type = 'step_started') <> s.attempt
    OR count(DISTINCT e.attempt) FILTER (WHERE e.type = 'step_started') <> s.attempt
    OR count(*) FILTER (WHERE e.type IN ('step_success', 'step_failure', 'step_skipped', 'step_canceled')) <> 1
    OR count(*) FILTER (WHERE e.type = 'step_' || s.status) <> 1
    OR count(*) FILTER (WHERE e.type = 'materialization') <> CASE s.status WHEN 'success' THEN 1 ELSE 0 END`)
	l.complain("attempts that ended twice", `
SELECT run_id || ' ' || asset || ' ' || attempt || ' ' || string_agg(type, ' ') FROM events
WHERE type IN ('step_success', 'step_failure', 'step_up_for_retry') GROUP BY run_id, asset, attempt
    HAVING count(*) > 1`)
	l.complain("attempts that another began after without saying what became of them", `
SELECT s.run_id || ' ' || s.asset || ' attempt ' || s.attempt FROM events s
WHERE s.type = 'step_started' AND NOT EXISTS (SELECT FROM events e
    WHERE e.run_id = s.run_id AND e.asset = s.asset AND e.id > s.id
    AND (e.attempt = s.attempt OR e.type = 'step_canceled')
    AND e.type IN ('step_success', 'step_failure', 'step_up_for_retry', 'step_canceled', 'step_requeued'))`)
	l.complain("event ids that are there twice", `SELECT id::text FROM events GROUP BY id HAVING count(*) > 1`)
	l.complain("lines that were logged once and written twice", `
SELECT run_id || ' ' || asset || ' attempt ' || attempt || ' "' || message || '" ' || at
    || ': events ' || string_agg(id::text, ', ' ORDER BY id) FROM events
WHERE type IN ('log', 'progress') GROUP BY run_id, asset, attempt, type, message, data, at HAVING count(*) > 1`)

	// The end of a run is what its steps make of it.
	l.complain("runs whose steps are not those of its assets", `
SELECT r.id || ' ' || r.status || ' wants ' || r.assets::text || ', has ' || array_agg(s.asset)::text
    FROM runs r LEFT JOIN steps s ON s.run_id = r.id GROUP BY r.id
HAVING (SELECT array_agg(a ORDER BY a) FROM unnest(r.assets) AS a) IS DISTINCT FROM array_agg(s.asset
    ORDER BY s.asset)`)
	l.complain("runs that succeeded with a step that did not", `
SELECT r.id || ' ' || s.asset || ' ' || s.status FROM runs r JOIN steps s ON s.run_id = r.id
    WHERE r.status = 'success' AND s.status <> 'success'`)
	l.complain("runs that succeeded with an error", `
SELECT r.id || ' ' || r.error::text FROM runs r WHERE r.status = 'success' AND r.error IS NOT NULL`)
	l.complain("runs that failed without a cause", `
SELECT r.id || ' ' || coalesce(r.error::text, 'no error') || ': ' || string_agg(s.asset || ' ' || s.status, ', ')
FROM runs r JOIN steps s ON s.run_id = r.id WHERE r.status = 'failure'
AND r.error ->> 'class' IS DISTINCT FROM 'timeout'
GROUP BY r.id HAVING r.error IS NULL OR NOT (bool_or(s.status = 'failure') OR bool_or(s.status = 'skipped'
    AND EXISTS (SELECT FROM steps u WHERE u.run_id = r.id AND u.asset = ANY(s.upstream)
    AND u.blocked_by IS NOT NULL)))`)
	l.complain("runs that were too late, and are no failure or were not", `
SELECT r.id || ' ' || r.status || ', to end by ' || coalesce(r.deadline_at::text, 'any time') 
    || ', ended ' || r.ended_at FROM runs r
WHERE r.error ->> 'class' = 'timeout'
AND (r.status <> 'failure' OR r.deadline_at IS NULL OR r.ended_at < r.deadline_at)`)
	l.complain("runs canceled without a canceled step, or by nobody", `
SELECT r.id || ' by ' || coalesce(r.canceled_by, 'nobody') || ': '
    || string_agg(s.asset || ' ' || s.status, ', ') FROM runs r JOIN steps s ON s.run_id = r.id
WHERE r.status = 'canceled' GROUP BY r.id HAVING r.canceled_by IS NULL OR NOT bool_or(s.status = 'canceled')`)
	l.complain("steps canceled in a run that nobody canceled and that was not too late", `
SELECT s.run_id || ' ' || s.asset || ' of a run that is ' || r.status FROM steps s JOIN runs r ON r.id = s.run_id
WHERE s.status = 'canceled' AND r.canceled_by IS NULL AND r.error ->> 'class' IS DISTINCT FROM 'timeout'`)
	l.complain("steps skipped without a cause", `
SELECT s.run_id || ' ' || s.asset FROM steps s
WHERE s.status = 'skipped' AND NOT EXISTS (SELECT FROM steps u
    WHERE u.run_id = s.run_id AND u.asset = ANY(s.upstream) AND (u.status <> 'success' OR u.blocked_by IS NOT NULL))`)
	l.complain("steps and materializations after the end of their run", `
SELECT r.id || ' ' || s.asset || ' ' || s.status FROM runs r JOIN steps s ON s.run_id = r.id
LEFT JOIN materializations m ON m.run_id = r.id AND m.asset = s.asset
    WHERE s.ended_at > r.ended_at OR m.created_at > r.ended_at`)
	l.complain("times that cannot be", `
SELECT r.id || ' ' || s.asset || ' ' || s.status || ' ' || concat_ws(', ', s.started_at, s.ended_at)
    FROM runs r JOIN steps s ON s.run_id = r.id
WHERE s.ended_at IS NULL OR s.ended_at < s.started_at OR (s.status IN ('success', 'failure')
    AND s.started_at IS NULL) OR (s.status IN ('success', 'failure') AND r.started_at IS NULL)`)
	l.complain("steps that began before what they wait for had succeeded", `
SELECT s.run_id || ' ' || s.asset || ' before ' || up FROM steps s, unnest(s.upstream) AS up
WHERE (SELECT min(e.id) FROM events e WHERE e.run_id = s.run_id AND e.asset = s.asset AND e.type = 'step_started')
    < coalesce((SELECT min(e.id) FROM events e
    WHERE e.run_id = s.run_id AND e.asset = up AND e.type = 'step_success'), 9223372036854775807)`)
	l.complain("steps that ran though a blocking check did not pass", `
SELECT s.run_id || ' ' || s.asset || ' ' || s.status || ' despite ' || c.asset || '/' || c.name FROM steps s
JOIN check_results c ON c.run_id = s.run_id AND c.asset = ANY(s.upstream) AND c.blocking AND NOT c.passed
    AND c.severity = 'error'
WHERE s.status = 'success' OR EXISTS (SELECT FROM events e
    WHERE e.run_id = s.run_id AND e.asset = s.asset AND e.type = 'step_started')`)
	l.complain("steps whose check did not pass and that block nothing, or the other way round", `
SELECT s.run_id || ' ' || s.asset || ' blocked by ' || coalesce(s.blocked_by, 'nothing') FROM steps s
WHERE (s.blocked_by IS NOT NULL) <> EXISTS (SELECT FROM check_results c
    WHERE c.run_id = s.run_id AND c.asset = s.asset AND c.blocking AND NOT c.passed AND c.severity = 'error')`)
	l.complain("checks not recorded once", `
SELECT run_id || ' ' || asset || '/' || name || ' ' || count(*) FROM check_results
    GROUP BY run_id, asset, name HAVING count(*) > 1`)

	// A retry does what was not done, as it was wanted.
	l.complain("retries without a step that did not succeed or whose check did not pass", `
SELECT r.id || ' ' || r.assets::text || ', without ' || s.asset || ' (' || s.status
    || ', blocked by ' || coalesce(s.blocked_by, 'nothing') || ') of run ' || p.id
FROM runs r JOIN runs p ON p.id = r.parent_run_id JOIN steps s ON s.run_id = p.id
WHERE r.trigger_kind = 'retry' AND (s.status <> 'success' OR s.blocked_by IS NOT NULL)
    AND NOT s.asset = ANY(r.assets)`)
	l.complain("retries with another priority", `
SELECT r.id || ' has ' || r.priority || ', run ' || p.id || ' ' || p.priority FROM runs r
    JOIN runs p ON p.id = r.parent_run_id
WHERE r.trigger_kind = 'retry' AND r.priority <> p.priority`)
	l.complain("alerts of checks that are not as the latest check is", `
SELECT c.asset || '/' || c.name || ' passed: ' || c.passed || ', alerts open: ' || count(a.id)
    FROM (SELECT DISTINCT ON (asset, name) * FROM check_results ORDER BY asset, name, id DESC) AS c
LEFT JOIN alerts a ON a.cause = 'check:' || c.asset || '/' || c.name AND a.recovered_at IS NULL
    WHERE c.severity = 'error' GROUP BY c.asset, c.name, c.passed
HAVING count(a.id) <> CASE WHEN c.passed THEN 0 ELSE 1 END`)
}

// backfills complains of backfills and partitions whose status does not follow from their runs.
func (l *ledger) backfills() {
	l.t.Helper()
	l.complain("backfills whose end does not follow from their partitions", `
SELECT b.id || ' ' || b.status || ': ' || string_agg(p.partition || ' ' || p.status, ', ' ORDER BY p.ordinal)
FROM backfills b JOIN backfill_partitions p ON p.backfill_id = b.id GROUP BY b.id
HAVING b.ended_at IS NULL OR b.status NOT IN ('success', 'failure', 'canceled')
OR bool_or(p.status IN ('pending', 'running'))
    OR (b.status = 'success') <> bool_and(p.status = 'success')
    OR (b.status = 'failure' AND NOT bool_or(p.status = 'failure'))
    OR (b.status = 'canceled' AND NOT bool_or(p.status = 'canceled'))`)
	l.complain("partitions of a backfill that are not as their run is", `
SELECT p.backfill_id || ' ' || p.partition || ' ' || p.status || ', run ' || r.id || ' ' || r.status
FROM backfill_partitions p JOIN runs r ON r.id = p.run_id
WHERE p.status <> r.status OR r.backfill_id IS DISTINCT FROM p.backfill_id OR r.partition IS DISTINCT FROM p.partition`)
	l.complain("partitions of a backfill that ended without a run", `
SELECT backfill_id || ' ' || partition || ' ' || status || ' ' || coalesce(error, '') FROM backfill_partitions
WHERE run_id IS NULL AND status <> 'canceled'`)
	l.complain("runs of a backfill that it does not know, or more than one of a partition", `
SELECT r.backfill_id || ' ' || r.partition || ': ' || string_agg(r.id || ' ' || r.status, ', ') FROM runs r
WHERE r.backfill_id IS NOT NULL AND r.trigger_kind <> 'retry' GROUP BY r.backfill_id, r.partition
HAVING count(*) > 1 OR NOT EXISTS (SELECT FROM backfill_partitions p WHERE p.run_id = ANY(array_agg(r.id)))`)
	l.complain("partitions that do not stand as they were left", `
SELECT p.asset || ' ' || p.partition || ' ' || p.status || ' by run ' || p.run_id || ', step ' ||
coalesce(s.status, 'none')
    || ', materialized ' || coalesce(p.materialized_at::text, 'never') || ', last ' || coalesce(m.at::text, 'never')
FROM asset_partitions p LEFT JOIN steps s ON s.run_id = p.run_id AND s.asset = p.asset
LEFT JOIN LATERAL (SELECT max(created_at) AS at FROM materializations
WHERE asset = p.asset AND partition = p.partition) AS m ON true
WHERE (p.materialized_at IS NULL) <> (m.at IS NULL) OR p.status = 'running'
OR (p.status = 'failed') <> (s.status = 'failure')
    OR p.status = 'materialized' AND m.at IS NULL OR p.status = 'missing' AND m.at IS NOT NULL`)
}

// stormEnds complains of steps of the storm that ended otherwise than the storm had them end.
func (l *ledger) stormEnds() {
	l.t.Helper()
	l.complain("steps of the storm that failed for another reason", `
SELECT run_id || ' ' || asset || ' attempt ' || attempt || ' ' || error::text FROM steps
WHERE asset LIKE 'storm%' AND status = 'failure' AND error ->> 'class' NOT IN ('timeout', 'lost_worker')
    AND error ->> 'message' NOT IN ($1, $2, 'panic: ' || $3::text)`, stormError, stormChance, stormPanic)
	l.complain("what is to be written with the end of an attempt, missing or there twice", `
SELECT e.run_id || ' ' || e.asset || ' attempt ' || e.attempt || ' ' || e.type || ': '
    || coalesce(string_agg(s.status, ', '), 'nothing')
FROM events e LEFT JOIN storm_ends s ON s.run_id = e.run_id AND s.asset = e.asset AND s.attempt = e.attempt
WHERE e.asset LIKE 'storm%' AND (e.type IN ('step_success', 'step_up_for_retry') OR e.type = 'step_failure'
    AND e.data ->> 'class' <> 'lost_worker')
GROUP BY e.id, e.run_id, e.asset, e.attempt, e.type
    HAVING count(s.status) <> 1 OR min('step_' || s.status) <> e.type`)
	l.complain("what was written with the end of attempts that have none", `
SELECT s.run_id || ' ' || s.asset || ' attempt ' || s.attempt || ' ' || s.status FROM storm_ends s
WHERE (SELECT count(*) FROM events e WHERE e.run_id = s.run_id AND e.asset = s.asset
    AND e.type = 'step_' || s.status AND e.attempt = s.attempt) <> 1`)
}

// stormLines complains of attempts with more or fewer lines than they logged. A crash of Postgres may lose some.
func (l *ledger) stormLines() {
	l.t.Helper()
	l.complain("attempts with more or fewer lines than they logged", `
SELECT e.run_id || ' ' || e.asset || ' attempt ' || e.attempt || ': ' || count(l.id) || ' of '
    || 1 + (r.config -> e.asset ->> 'lines')::integer
FROM events e JOIN runs r ON r.id = e.run_id
    LEFT JOIN events l ON l.run_id = e.run_id AND l.asset = e.asset AND l.attempt = e.attempt AND l.type = 'log'
WHERE e.asset LIKE 'storm%' AND e.type = 'step_success'
    GROUP BY e.id, e.run_id, e.asset, e.attempt, r.config
    HAVING count(l.id) <> 1 + (r.config -> e.asset ->> 'lines')::integer`)
}

// stormAssets are in the limit pool:storm.
const stormAssets = "'storm_a', 'storm_b', 'storm_c', 'storm_parted', 'storm_z_parted'"

// withinLimits complains of limits that more steps were under at once than may be: from the start of an attempt, as it
// was recorded, to its end.
func (l *ledger) withinLimits() {
	l.t.Helper()
	for _, limit := range []struct {
		key, of string
		most    int
	}{
		{"pool:storm", "s.asset IN (" + stormAssets + ")", 8},
		{"asset:storm_b", "s.asset = 'storm_b'", 2},
		{"asset:fetch_latest_bills", "s.asset = 'fetch_latest_bills'", 1},
		{"tag:team=ops", `EXISTS (SELECT FROM runs r WHERE r.id = s.run_id AND r.tags @> '{"team": "ops"}')`, 3},
	} {
		l.complain("more steps at once than the limit "+limit.key+" lets through", `
WITH attempts AS (
    SELECT s.at AS began, (SELECT min(e.at) FROM events e
    WHERE e.run_id = s.run_id AND e.asset = s.asset AND e.id > s.id AND e.type LIKE 'step\_%') AS ended
    FROM events s WHERE s.type = 'step_started' AND `+limit.of+`
), marks AS (SELECT began AS at, 1 AS d FROM attempts UNION ALL SELECT ended, -1 FROM attempts),
sums AS (SELECT at, sum(d) OVER (ORDER BY at, d) AS n FROM marks)
SELECT max(n) || ' at ' || (array_agg(at ORDER BY n DESC))[1] FROM sums HAVING max(n) > $1`, limit.most)
	}
}

// noLeaks complains of what is still held though nothing is at work. It takes a while to notice processes that were cut
// off; they get it.
func (l *ledger) noLeaks(workers int) {
	l.t.Helper()
	l.leaks(15*time.Second, "jobs left over", `
SELECT id || ' ' || state || ' ' || args::text FROM river_job WHERE kind = 'materialize' AND finalized_at IS NULL`)
	l.leaks(30*time.Second, "other jobs left over", `
SELECT id || ' ' || kind || ' ' || state || ' ' || args::text FROM river_job
WHERE finalized_at IS NULL AND state IN ('available', 'running', 'retryable', 'pending')
    AND coalesce(attempted_at, scheduled_at) < now() - interval '60 seconds'`)
	l.leaks(15*time.Second, "places under limits left over", `SELECT key || ' ' || run_id || ' ' || asset FROM step_slots`)
	l.leaks(15*time.Second, "steps that wait for a place left over", `
SELECT run_id || ' ' || asset || ' ' || keys::text FROM step_waits`)
	l.leaks(45*time.Second, "places at sources left over", `
SELECT source || ' ' || slot || ' until ' || held_until FROM source_slots WHERE held_until > now()`)
	l.leaks(20*time.Second, fmt.Sprintf("workers alive, other than %d", workers), `
SELECT count(*) || ': ' || string_agg(id, ', ') FROM workers WHERE beat_at > now() - interval '12 seconds'
    HAVING count(*) <> $1`, workers)
	l.leaks(15*time.Second, "partitions that are said to be at work", `
SELECT p.asset || ' ' || p.partition FROM asset_partitions p JOIN runs r ON r.id = p.run_id
    WHERE p.status = 'running' AND r.ended_at IS NOT NULL`)
	l.leaks(75*time.Second, "transactions left open", `
SELECT pid || ' ' || state || ' since ' || xact_start || ': ' || left(query, 200) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start < now() - interval '10 seconds'`)
	l.leaks(15*time.Second, "advisory locks that nobody uses", `
SELECT l.pid || ' ' || a.state || ' ' || l.classid || '/' || l.objid || ': ' || left(a.query, 200)
    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND a.datname = current_database() AND a.state LIKE 'idle%'`)
}

// serverLog is what Postgres wrote into its log.
type serverLog struct{ dir string }

// settings make Postgres write the statements that it refuses into files.
func (s serverLog) settings() map[string]string {
	return map[string]string{
		"logging_collector": "on", "log_directory": s.dir, "log_file_mode": "0644", "log_min_messages": "error",
		"log_min_error_statement": "error", "log_line_prefix": "%m [%p] %e ",
	}
}

var logLine = regexp.MustCompile(`(?m)^\S+ \S+ \S+ \[\d+\] ([0-9A-Z]{5}) (ERROR|FATAL|PANIC):  (.*)$`)

// refusals counts what Postgres refused, by its code; of deadlocks and of what is never right it gives the text.
func (s serverLog) refusals(t testing.TB) (counts map[string]int, wrong []string) {
	counts = map[string]int{}
	files, _ := filepath.Glob(filepath.Join(s.dir, "*.log"))
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Error(err)
		}
		for _, m := range logLine.FindAllSubmatchIndex(raw, -1) {
			code := string(raw[m[2]:m[3]])
			counts[code]++
			// What ends a connection, such as an init file that the disk has no room for, is no statement.
			of := slices.Contains([]string{"22", "23", "42", "XX"}, code[:2])
			if string(raw[m[4]:m[5]]) == "ERROR" && (code == "40P01" || of) {
				text := raw[m[0]:]
				if lines := bytes.SplitN(text, []byte("\n"), 12); len(lines) == 12 {
					text = bytes.Join(lines[:11], []byte("\n"))
				}
				wrong = append(wrong, string(text))
			}
		}
	}
	return counts, wrong
}

// check complains of deadlocks and of statements that are wrong in themselves.
func (s serverLog) check(t testing.TB) map[string]int {
	t.Helper()
	counts, wrong := s.refusals(t)
	if len(wrong) > 0 {
		t.Errorf("deadlocks and wrong statements: %d; the first:\n%s", len(wrong), wrong[0])
	}
	return counts
}
