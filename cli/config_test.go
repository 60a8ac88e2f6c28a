package cli_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
)

// TestConfigAsGiven starts runs with config inline, from a file and from the standard input, as JSON and as YAML.
func TestConfigAsGiven(t *testing.T) {
	t.Parallel()
	sources := background(t, nil, `OPENPARLIAMENT_URL=(http://\S+)`, "simulate", "--addr", "127.0.0.1:0")
	database := dbtest.URL(t)
	env := []string{"DATABASE_URL=" + database, "OPENPARLIAMENT_URL=" + sources, "LEGISINFO_URL=" + sources + "/legisinfo",
		"OPENPARLIAMENT_RPS=0", "LEGISINFO_RPS=0"}
	if r := run(t, env, "migrate", "up"); r.code != 0 {
		t.Fatalf("migrate up: %+v", r)
	}
	// nobody works: runs stay queued
	env = append(env,
		"EXPLORER_URL="+background(t, append(env, "ADDR=127.0.0.1:0"), `msg=ready url=(http://\S+)`, "serve"))
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return "@" + path
	}
	expect := func(code int, want, stdin string, args ...string) string {
		t.Helper()
		cmd := program(t, env, args...)
		cmd.Stdin = strings.NewReader(stdin)
		var out, errOut strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &errOut
		_ = cmd.Run() // the code is looked at
		if got := cmd.ProcessState.ExitCode(); got != code || !strings.Contains(out.String()+errOut.String(), want) {
			t.Errorf("%q: exit %d, want %d with %q in:\n%s%s", args, got, code, want, out.String(), errOut.String())
		}
		return out.String()
	}
	dagster := "# as in Dagster's launchpad\nops:\n  fetch_latest_bills:\n    config:\n      limit: 17\n"
	for _, c := range []struct{ given, stdin string }{
		{`{"limit": 17}`, ""}, {"{\n\t\"limit\": 17\n}", ""}, {"limit: 17", ""}, {"{limit: 017}", ""}, {dagster, ""}, {"-", dagster}, {"-", `{"limit": 17}`}, {write("run.yaml", dagster), ""}, {write("run.json", `{"ops": {"fetch_latest_bills": {"config": {"limit": 17}}}}`), ""},
	} {
		for _, what := range [][]string{{"materialize", "fetch_latest_bills"}, {"jobs", "run", "fetch_bills_job"}} {
			id := strings.TrimSpace(expect(0, "-", c.stdin, append(what, "--no-follow", "--config", c.given)...))
			expect(0, `"limit":17`, "", "runs", "show", id)
		}
	}
	expect(0, "would start 1 runs", "limit: 5", "backfill", "start", "bills_introduced_by_day", "--partition",
		"2026-03-09", "--dry-run", "--config", "{}")
	expect(2, "/config/lmit", "lmit: 5", "backfill", "start", "bills_introduced_by_day", "--partition",
		"2026-03-09", "--config", "-")
	expect(0, "-", "", "jobs", "run", "fetch_bills_job", "--no-follow", "--config", write("empty.yaml", "# nothing\n"))
	for given, want := range map[string]string{
		"{limit: 5, limit: 6}": "/limit: line 1: is given twice", "limit: [": "line 2, column 1", "@" + dir + "/nope.yaml": "nope.yaml: no such file", "five": "is no config", "[1]": "is no config", "a: &x 1": "is an anchor",
		write("two.yaml", "a: 1\n---\nb: 2\n"): "two.yaml: line 2: another document begins", write("long.yaml",
			strings.Repeat("#\n", 1<<20)): "longer than 1024 KiB", "limit: no": "/config/limit", "@": "--config: ", "@" +
			dir: "is a directory",
	} {
		expect(2, want, "", "materialize", "fetch_latest_bills", "--config", given)
	}
	expect(2, `job "nope" does not exist`, "", "jobs", "run", "nope")
	expect(0, "fetch_bills_hourly", "", "jobs")

	expect(0, "queued", "", "runs", "--status", "queued,started", "--limit", "2")
	expect(0, "2 of 19", "", "runs", "--not-status", "success", "--limit", "2", "--count")
	expect(0, "0 of 0", "", "runs", "--status=-queued", "--count")
	expect(2, "is not a status", "", "runs", "--status", "queued", "--not-status", "nope")

	// Run keys, of a sensor that started runs.
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), `INSERT INTO run_keys (sensor, key, run_id, created_at)
		SELECT 'new_bills_sensor', 'bills ' || i, gen_random_uuid(), now() FROM generate_series(1, 3) AS i`); err != nil {
		t.Fatal(err)
	}
	expect(0, "2 of 3", "", "sensors", "run-keys", "new_bills_sensor", "--limit", "2", "--count")
	expect(0, "new_bills_sensor forgot bills 2, which had started run ", "", "sensors", "run-keys", "forget",
		"new_bills_sensor", "bills 2")
	expect(2, `run key "bills 2" does not exist`, "", "sensors", "run-keys", "forget", "new_bills_sensor", "bills 2")
	if out := expect(0, "bills 3", "", "sensors", "run-keys", "list", "new_bills_sensor", "--prefix",
		"bills"); strings.Contains(out, "bills 2") {
		t.Errorf("still there:\n%s", out)
	}
	expect(0, `"items":[]`, "", "sensors", "run-keys", "new_bills_sensor", "--prefix", "x", "--json")
	expect(2, `sensor "nope" does not exist`, "", "sensors", "run-keys", "nope")
}
