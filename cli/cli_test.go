package cli_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
)

func TestDemo(t *testing.T) {
	t.Parallel()
	r := run(t, nil, "demo", "--once")
	if r.code != 0 || !regexp.MustCompile(`(?m)^ +bills_fetched +50$`).MatchString(r.out) ||
		!strings.Contains(r.err, "50 of 50 bills stored") {
		t.Errorf("exit %d\n%s\n%s", r.code, r.out, r.err)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		env  []string
		code int
		want string
	}{
		"unknown command":     {[]string{"serv"}, nil, 2, "serv"},
		"bad limit":           {[]string{"serve"}, []string{"LIMITS=pool:legisinfo"}, 2, "LIMITS"},
		"bad alerts":          {[]string{"serve"}, []string{"ALERTS=ops=https://example.org/hunter2"}, 2, "secret cannot be used"},
		"bad allowed network": {[]string{"serve"}, []string{"ALERT_ALLOW=10.0.0.1"}, 2, "ALERT_ALLOW"},
		"bad alert window":    {[]string{"serve"}, []string{"ALERT_WINDOW=-1h"}, 2, "ALERT_WINDOW"},
		"bad idle":            {[]string{"serve"}, []string{"IDLE=never"}, 2, "IDLE"},
		"bad webhook secret":  {[]string{"serve"}, []string{"WEBHOOK_SECRETS=webhook_sensor=hunter2"}, 2, "WEBHOOK_SECRETS"},
		"unknown flag":        {[]string{"serve", "--nope"}, nil, 2, "--nope"},
		"bad level":           {[]string{"version"}, []string{"LOG_LEVEL=loud"}, 2, "--log-level"},
		"bad rate":            {[]string{"serve"}, []string{"OPENPARLIAMENT_RPS=x"}, 2, "OPENPARLIAMENT_RPS"},
		"negative rate":       {[]string{"serve"}, []string{"LEGISINFO_RPS=-1"}, 2, "LEGISINFO_RPS -1"},
		"bad address":         {[]string{"serve"}, []string{"ADDR=nowhere"}, 2, `ADDR "nowhere"`},
		"bad port":            {[]string{"serve"}, []string{"PORT=x"}, 2, "PORT"},
		"bad source":          {[]string{"worker"}, []string{"LEGISINFO_URL=ftp://x"}, 2, `LEGISINFO_URL "ftp://x"`},
		"bad e-mail":          {[]string{"worker"}, []string{"CONTACT_EMAIL=me"}, 2, `CONTACT_EMAIL "me"`},
		"bad agent":           {[]string{"worker"}, []string{"USER_AGENT=Mozilla/5.0\r\nX-Evil: 1"}, 2, `USER_AGENT "Mozilla/5.0\r\n`},
		"bad zone":            {[]string{"worker"}, []string{"TZ_SCHEDULES=Mars/Olympus"}, 2, `TZ_SCHEDULES "Mars/Olympus"`},
		"bad config":          {[]string{"materialize", "a", "--config", "{"}, nil, 2, "--config"},
		"empty first":         {[]string{"backfill", "start", "a", "--from", ""}, nil, 2, "--from is empty"},
		"empty last":          {[]string{"backfill", "start", "a", "--from", "x", "--to="}, nil, 2, "--to is empty"},
		"bad day":             {[]string{"simulate", "--as-of", "today"}, nil, 2, "--as-of"},
		"bad size":            {[]string{"simulate", "--bills", "99999"}, nil, 2, "bills 99999"},
		"unreachable server":  {[]string{"runs", "--server", "http://127.0.0.1:1"}, nil, 1, "no server answers at http://127.0.0.1:1"},
		"no server":           {[]string{"runs", "--server", "nope"}, nil, 2, "--server"},
		"unreadable database": {[]string{"migrate", "status"}, []string{"DATABASE_URL=postgres://u:hunter2@[/x"}, 1, "DATABASE_URL"},
		"database away":       {[]string{"serve", "--addr", "127.0.0.1:0"}, []string{"DATABASE_URL=postgres://u:hunter2@127.0.0.1:1/x"}, 1, "127.0.0.1:1"},
		"data dir is a file":  {[]string{"dev", "--addr", "127.0.0.1:0"}, []string{"DATA_DIR=/dev/null"}, 1, "data directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, c.env, c.args...)
			lines := strings.Split(strings.TrimSpace(r.err), "\n")
			last := lines[len(lines)-1]
			if r.code != c.code || !strings.HasPrefix(last, "explorer: ") || !strings.Contains(last, c.want) ||
				strings.Contains(r.err, "hunter2") {
				t.Errorf("exit %d, want %d with %q in:\n%s%s", r.code, c.code, c.want, r.out, r.err)
			}
			if len(lines) != 1 {
				t.Errorf("%d lines, want one:\n%s", len(lines), r.err)
			}
		})
	}
}

// TestOperate runs the processes of a deployment and the commands that operate it.
func TestOperate(t *testing.T) {
	t.Parallel()
	sources := background(t, nil, `OPENPARLIAMENT_URL=(http://\S+)`, "simulate", "--addr", "127.0.0.1:0")
	env := []string{"DATABASE_URL=" + dbtest.URL(t), "OPENPARLIAMENT_URL=" + sources, "LEGISINFO_URL=" + sources +
		"/legisinfo", "OPENPARLIAMENT_RPS=0", "LEGISINFO_RPS=0"}
	if r := run(t, env, "migrate", "up"); r.code != 0 || !strings.Contains(r.out, "up to date") {
		t.Errorf("migrate up: %+v", r)
	}
	if r := run(t, env, "migrate", "status"); r.code != 0 || regexp.MustCompile(`(?m)pending$`).MatchString(r.out) ||
		!strings.Contains(r.out, "00001_engine.sql") {
		t.Errorf("migrate status: %+v", r)
	}
	url := background(t, append(env, "ADDR=127.0.0.1:0"), `msg=ready url=(http://\S+)`, "serve")
	background(t, env, `msg=ready worker_id=(\S+)`, "worker")
	env = append(env, "EXPLORER_URL="+url)
	expect := func(code int, want string, args ...string) result {
		t.Helper()
		r := run(t, env, args...)
		if r.code != code || !strings.Contains(r.out+r.err, want) {
			t.Errorf("%v: exit %d, want %d with %q in:\n%s%s", args, r.code, code, want, r.out, r.err)
		}
		return r
	}
	expect(0, "bills_fetched", "materialize", "fetch_latest_bills", "--config", `{"limit": 7}`, "--tag", "why=test")
	expect(2, "/config/limit", "materialize", "fetch_latest_bills", "--config", `{"limit": 0}`)
	expect(2, `there is no asset "nope"`, "materialize", "nope")
	expect(1, "neither source has a bill", "materialize", "fetch_parliament_session_bills", "--config",
		`{"parliament": 98, "session": 9}`)

	r := expect(0, "", "materialize", "monitor_fetch_operations", "--json")
	var detail struct {
		ID               string
		Status           string
		Trigger          struct{ Kind string }
		Materializations []struct{ Metadata map[string]any }
	}
	if err := json.Unmarshal([]byte(r.out), &detail); err != nil || detail.Status != "success" ||
		detail.Trigger.Kind != "cli" || detail.Materializations[0].Metadata["success_count"] != 1.0 {
		t.Errorf("%v in %s", err, r.out)
	}
	id := strings.TrimSpace(expect(0, "-", "materialize", "monitor_fetch_operations", "--no-follow").out)
	expect(0, "run succeeded", "runs", "watch", id)
	if r := expect(0, "/ui/runs/"+id, "runs", "watch", id, "--grep", "SUCCEEDED", "--data"); strings.Contains(r.err,
		"run enqueued") {
		t.Errorf("--grep let other lines through:\n%s", r.err)
	}
	if r := expect(0, "", "runs", "watch", id, "--level", "warn"); strings.Contains(r.err, " info ") {
		t.Errorf("--level warn shows info:\n%s", r.err)
	}
	expect(2, "--level", "runs", "watch", id, "--level", "loud")
	var events []string
	for line := range strings.Lines(expect(0, "", "runs", "watch", id, "--events", "--step",
		"monitor_fetch_operations").out) {
		var e struct{ Type, Asset string }
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Asset != "monitor_fetch_operations" {
			t.Errorf("%v in %s", err, line)
		}
		events = append(events, e.Type)
	}
	if want := "step_started step_success materialization"; strings.Join(events, " ") != want {
		t.Errorf("events %v, want %s", events, want)
	}
	expect(0, "run succeeded", "runs", "watch") // the newest
	expect(0, "monitor_fetch_operations", "runs", "show", id)
	expect(0, id, "runs")
	expect(0, "failure", "runs", "--status", "failure")
	expect(2, "status", "runs", "--status", "nope")
	expect(2, "has ended already", "runs", "cancel", id)
	expect(2, "nothing to retry", "runs", "retry", id, "--from-failure")
	expect(0, "run succeeded", "runs", "retry", id)
	expect(2, "does not exist", "runs", "watch", "nope")
	expect(2, "does not exist", "runs", "watch", "0197841c-2a00-7aaa-8000-000000000001")
	expect(0, "fetch_latest_bills", "assets")
	if r := expect(0, "monitor_fetch_operations", "assets", "group:monitoring"); strings.Contains(r.out,
		"fetch_latest_bills") {
		t.Errorf("assets of other groups:\n%s", r.out)
	}
	expect(2, "selection", "assets", "group:")
	for _, want := range []string{"bills", "1-500", "bills_fetched"} {
		expect(0, want, "assets", "show", "fetch_latest_bills")
	}
	expect(0, `"config_schema"`, "assets", "show", "fetch_latest_bills", "--json")
	expect(2, `asset "nope"`, "assets", "show", "nope")
	expect(0, "run succeeded", "assets", "materialize", "monitor_fetch_operations", "--config", "{hours_back: 2}")
	expect(0, "monitor_job", "jobs")
	expect(0, "run succeeded", "jobs", "run", "monitor_job", "--tag", "why=cli")
	for _, want := range []string{"monitor_fetch_operations", "monitor_daily", "success"} {
		expect(0, want, "jobs", "show", "monitor_job")
	}
	expect(2, `job "nope"`, "jobs", "show", "nope")
	expect(0, "monitor_job", "runs", "--tag", "why:cli")
	expect(0, "stopped", "schedules")
	expect(0, "is running; next tick", "schedules", "start", "fetch_bills_daily")
	expect(0, "is stopped", "schedules", "stop", "fetch_bills_daily")
	expect(0, "run succeeded", "schedules", "run", "monitor_daily")
	expect(0, "manual", "schedules", "ticks", "monitor_daily")
	expect(2, `schedule "nope" does not exist`, "schedules", "start", "nope")
	expect(0, "would start monitor_job, config {", "schedules", "dry-run", "monitor_daily")

	expect(0, "new_bills_sensor", "sensors")
	expect(0, "is running; cursor", "sensors", "start", "new_bills_sensor")
	expect(0, "is stopped", "sensors", "stop", "new_bills_sensor")
	expect(0, "no new bills", "sensors", "evaluate", "new_bills_sensor")
	expect(0, "is stopped; cursor -", "sensors", "cursor", "new_bills_sensor", "--reset")
	expect(0, "would start new_bills_job, run key bills up to ", "sensors", "dry-run", "new_bills_sensor")
	expect(0, "is stopped; cursor -", "sensors", "cursor", "new_bills_sensor", "--reset")
	expect(0, "started run ", "sensors", "evaluate", "new_bills_sensor")
	expect(0, "/45-1/", "sensors", "cursor", "new_bills_sensor")
	expect(0, "manual", "sensors", "ticks", "new_bills_sensor")
	expect(2, `/cursor: "x"`, "sensors", "cursor", "fetch_failure_sensor", "--set", "x")
	expect(2, "--set and --reset", "sensors", "cursor", "new_bills_sensor", "--set", "x", "--reset")
	expect(2, `sensor "nope" does not exist`, "sensors", "evaluate", "nope")
	expect(2, "it has none yet", "materialize", "fetch_parliament_session_bills", "--partition", "44-1")
	expect(0, "sessions_added", "materialize", "parliament_sessions")
	expect(0, "missing", "partitions", "fetch_parliament_session_bills")
	expect(2, "is not partitioned", "partitions", "fetch_latest_bills")
	expect(2, "but the partition makes it 44", "materialize", "fetch_parliament_session_bills", "--partition", "44-1",
		"--config", `{"parliament": 45}`)
	expect(0, "would start 3 runs of bills_introduced_by_day", "backfill", "start", "bills_introduced_by_day", "--from",
		"2026-03-07", "--to", "2026-03-09", "--dry-run")
	expect(2, "comes after", "backfill", "start", "bills_introduced_by_day", "--from", "2026-03-09", "--to", "2026-03-07")
	expect(0, "success: 3 succeeded", "backfill", "start", "bills_introduced_by_day", "--from",
		"2026-03-07", "--to", "2026-03-09")
	expect(0, "success", "backfill", "list")
	expect(2, "no partition is chosen", "backfill", "start", "bills_introduced_by_day", "--from", "2026-03-07", "--to",
		"2026-03-09", "--only", "missing")
	expect(2, "does not exist", "backfill", "cancel", "nope")
	expect(0, "materialized", "partitions", "bills_introduced_by_day", "--status", "materialized")
	expect(0, "bills_total", "materialize", "+bill_statistics and group:statistics")
	expect(0, "CAUSE", "alerts")
	expect(0, "CHANNEL", "alerts", "channels")
	expect(0, "CHANNEL", "alerts", "deliveries")
	expect(2, `channel "nope" does not exist`, "alerts", "test", "nope")

	expect(0, "1 alive", "doctor")
	expect(0, "explorer test", "version")
	expect(1, "cannot listen", "serve", "--addr", strings.TrimPrefix(url, "http://"))
}
