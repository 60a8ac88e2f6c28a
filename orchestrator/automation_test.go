package orchestrator_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
)

func TestSelect(t *testing.T) {
	t.Parallel()
	// a -> b -> c -> e, d stands alone
	group := func(a *orchestrator.Asset, g string) *orchestrator.Asset { a.Group = g; return a }
	aa := asset("aa", nil, nil)
	aa.Owners, aa.Kinds, aa.Tags = []string{"team:data", "ann@example.org"}, []string{"rss"}, map[string]string{
		"audience": "readers", "tier": "1",
	}
	d := parts(t, orchestrator.Declarations{Assets: []*orchestrator.Asset{
		group(aa, "one"),
		group(asset("bb", []string{"aa"}, nil), "one"),
		group(asset("cc", []string{"bb"}, nil), "two"),
		group(asset("dd", nil, nil), "two"),
		group(asset("ee", []string{"cc"}, nil), "two"),
	}})
	for selection, want := range map[string]string{
		"*": "aa bb cc dd ee", "bb": "bb", "+cc": "aa bb cc", "bb+": "bb cc ee", "+bb+": "aa bb cc ee", "1+cc": "bb cc", "bb+1": "bb cc", "0+cc": "cc", "2+ee": "bb cc ee",
		"group:one": "aa bb", "group:t*": "cc dd ee", `key:"?a"`: "aa", "aa, dd": "aa dd", "aa or dd": "aa dd", "group:two and +ee": "cc ee", "not group:one": "cc dd ee",
		"not (aa or bb+)": "dd", "* and not dd": "aa bb cc ee", " ( bb )+ ": "bb cc ee", "AA": "", "": "", "nope": "", "group:nope": "", "owner:x": "", "nope:x": "", "(aa": "", "aa bb": "", "aa and": "",
		"owner:team:data": "aa", "owner:team:*": "aa", "owner:ann@example.org": "aa", "kind:rss+1": "aa bb", "kind:r*": "aa", "kind:x": "",
		"tag:audience": "aa", "tag:audience=readers": "aa", `tag:"audience"="readers"`: "aa", "tag:audience=x": "", "tag:tier=1 and +bb": "aa",
		"3aa": "", "3 aa": "", "++aa": "", "aa)": "", "not not aa": "aa", "aa and not aa": "", "[": "", strings.Repeat("(", 900): "", strings.Repeat("aa,", 400): "",
	} {
		got, err := d.Select(selection)
		if strings.Join(got, " ") != want || (err == nil) != (want != "") {
			t.Errorf("%.40q selects %q (%v), want %q", selection, got, err, want)
		}
	}
}

func FuzzSelect(f *testing.F) {
	d := parts(
		f,
		orchestrator.Declarations{Assets: []*orchestrator.Asset{asset("aa", nil, nil), asset("bb", []string{"aa"}, nil)}},
	)
	for _, s := range []string{"*", "+aa", "bb+1", "not (aa or group:test) and key:b*", "((", `key:"a`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		names, err := d.Select(s)
		if (err == nil) != (len(names) > 0) || len(names) > 2 {
			t.Errorf("%q: %q, %v", s, names, err)
		}
	})
}

func TestLimits(t *testing.T) {
	t.Parallel()
	gate, started := make(chan struct{}), make(chan string, 20)
	hold := func(name string, pools ...string) *orchestrator.Asset {
		a := asset(name, nil, func(ctx context.Context, step *orchestrator.Step) error {
			started <- step.Tags["n"]
			select {
			case <-gate:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		a.Pools = pools
		return a
	}
	defs := parts(
		t, orchestrator.Declarations{Assets: []*orchestrator.Asset{hold("x", "src"), hold("y", "src"), hold("z")}},
	)
	for _, bad := range []string{"pool:src", "pool:src=0", "src=2", "tag:team=2", "pool:=1", "asset:x=many"} {
		if _, err := orchestrator.ParseLimit(bad); err == nil {
			t.Errorf("limit %q passes", bad)
		}
	}
	var limits []orchestrator.Limit
	for _, s := range []string{"pool:src=2", "asset:x=1", "tag:team=ops=1"} {
		l, err := orchestrator.ParseLimit(s)
		if err != nil {
			t.Fatal(err)
		}
		limits = append(limits, l)
	}
	if _, err := orchestrator.New(orchestrator.Config{DB: dbtest.New(t), Definitions: defs, Logger: testLogger(t),
		Limits: []orchestrator.Limit{{Key: "pool:nope", Max: 1}}}); err == nil ||
		!strings.Contains(err.Error(), "pool:nope") {
		t.Errorf("limit on a pool that there is not: %v", err)
	}
	d := dbtest.NewWatched(t)
	with := func(c *orchestrator.Config) { c.Limits = limits }
	e := startEngine(t, d, defs, with)
	startEngine(t, d, defs, with) // the limits are of both workers together

	n := 0
	begin := func(asset string, priority int, tags map[string]string) *orchestrator.Run {
		n++
		all := map[string]string{"n": string(rune('0' + n))}
		for k, v := range tags {
			all[k] = v
		}
		return start(t, e, orchestrator.RunRequest{Assets: []string{asset}, Tags: all, Priority: priority})
	}
	begin("x", 0, nil) // 1
	begin("y", 0, nil) // 2
	got := []string{<-started, <-started}
	slices.Sort(got)
	if !slices.Equal(got, []string{"1", "2"}) {
		t.Fatalf("started %q", got)
	}
	third := begin("y", 0, nil)  // 3 waits for the pool
	fourth := begin("y", 1, nil) // 4 goes before it
	free := begin("z", 0, nil)   // 5 is under no limit
	if s := <-started; s != "5" {
		t.Fatalf("%s started, want 5", s)
	}
	for _, c := range []struct {
		run  *orchestrator.Run
		want int
	}{{third, 2}, {fourth, 1}} {
		r, err := e.Run(t.Context(), c.run.ID)
		if err != nil {
			t.Fatal(err)
		}
		places, err := e.QueuePlaces(t.Context(), r)
		if err != nil || len(places) != 1 || places[0].Position != c.want ||
			!slices.Equal(places[0].WaitsFor, []string{"pool:src"}) {
			t.Errorf("places = %+v, %v, want %d", places, err, c.want)
		}
	}
	states, err := e.Limits(t.Context())
	if err != nil || states[0].Used != 2 || states[0].Waiting != 2 || states[1].Used != 1 {
		t.Errorf("limits = %+v, %v", states, err)
	}
	if _, err := e.CancelRun(t.Context(), free.ID, "me"); err != nil {
		t.Fatal(err)
	}
	gate <- struct{}{} // one of the first two
	if s := <-started; s != "4" {
		t.Errorf("%s started, want 4", s)
	}
	if _, err := e.CancelRun(t.Context(), third.ID, "me"); err != nil { // a step that waits can be canceled
		t.Fatal(err)
	}
	if r, _ := wait(t, e, third.ID); r.Status != "canceled" {
		t.Errorf("third: %s", r.Status)
	}
	tagged := []*orchestrator.Run{
		begin("z", 0, map[string]string{"team": "ops"}),
		begin("z", 0, map[string]string{"team": "ops"}),
	} // 6, 7
	if s := <-started; s != "6" {
		t.Errorf("%s started, want 6", s)
	}
	close(gate)
	if s := <-started; s != "7" {
		t.Errorf("%s started, want 7", s)
	}
	for _, r := range append(tagged, fourth) {
		if r, _ := wait(t, e, r.ID); r.Status != "success" {
			t.Errorf("%s: %s", r.Tags["n"], r.Status)
		}
	}
	until(t, e, "all places are free", func() bool {
		states, err = e.Limits(t.Context())
		return err == nil && states[0].Used+states[0].Waiting+states[1].Used+states[2].Used == 0
	})
}

func TestFreshness(t *testing.T) {
	t.Parallel()
	at := func(s string) time.Time {
		t.Helper()
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	a := asset("a", nil, nil)
	a.Freshness = &orchestrator.Freshness{By: "30 3 * * *"}
	b := asset("b", nil, nil)
	b.Freshness = &orchestrator.Freshness{MaxAge: time.Hour}
	defs := parts(t, orchestrator.Declarations{Assets: []*orchestrator.Asset{a, b}})
	daily, age := defs.Assets()[0].Freshness, defs.Assets()[1].Freshness
	for name, c := range map[string]struct {
		f         *orchestrator.Freshness
		last, now string
		want      string
		late      string
	}{
		"never":                          {daily, "", "2026-06-18T12:00:00Z", "unknown", ""},
		"young":                          {age, "2026-06-18T12:00:00Z", "2026-06-18T12:59:59Z", "fresh", "2026-06-18T13:00:00Z"},
		"old":                            {age, "2026-06-18T12:00:00Z", "2026-06-18T13:00:00Z", "late", "2026-06-18T13:00:00Z"},
		"in time for today":              {daily, "2026-06-18T07:00:00Z", "2026-06-18T12:00:00Z", "fresh", "2026-06-19T07:30:00Z"},
		"since the deadline, next day":   {daily, "2026-06-18T08:00:00Z", "2026-06-19T07:31:00Z", "fresh", "2026-06-20T07:30:00Z"},
		"the second deadline has passed": {daily, "2026-06-18T07:00:00Z", "2026-06-19T07:30:00Z", "late", "2026-06-19T07:30:00Z"},
		"when clocks go forward":         {daily, "2026-03-08T07:00:00Z", "2026-03-08T07:30:01Z", "fresh", "2026-03-09T07:30:00Z"},
		"when clocks go back":            {daily, "2025-11-01T08:00:00Z", "2025-11-02T08:29:59Z", "fresh", "2025-11-03T08:30:00Z"},
	} {
		var last *time.Time
		if c.last != "" {
			v := at(c.last)
			last = &v
		}
		state, late := c.f.State(last, at(c.now))
		if state != c.want || (late == nil) != (c.late == "") || late != nil && late.Format(time.RFC3339) != c.late {
			t.Errorf("%s: %s, late at %v; want %s, %s", name, state, late, c.want, c.late)
		}
	}
	for _, bad := range []*orchestrator.Freshness{
		{}, {By: "x"}, {MaxAge: 1, By: "* * * * *"}, {By: "* * * * *", TimeZone: "Mars"}, {By: "@every 5m"},
	} {
		c := asset("c", nil, nil)
		c.Freshness = bad
		if _, err := orchestrator.NewDefinitions(orchestrator.Declarations{Assets: []*orchestrator.Asset{c}}); err == nil {
			t.Errorf("%+v passes", bad)
		}
	}
}

func TestFreshnessAlertFiresOnceAndClears(t *testing.T) {
	t.Parallel()
	a := asset("a", nil, nil)
	a.Freshness = &orchestrator.Freshness{MaxAge: 300 * time.Millisecond}
	r := newReceiver(t)
	d := dbtest.NewWatched(t)
	defs := func() *orchestrator.Definitions {
		return parts(t, orchestrator.Declarations{Assets: []*orchestrator.Asset{a}})
	}
	e := startEngine(t, d, defs(), channel(t, r))
	startEngine(t, d, defs(), channel(t, r)) // two workers watch
	wait(t, e, start(t, e, orchestrator.RunRequest{Assets: []string{"a"}}).ID)
	r.await(t, 1)
	until(t, e, "several rounds", func() bool {
		var rounds int
		err := d.Pool.QueryRow(t.Context(), `SELECT count(*) FROM workers
			WHERE beat_at - started_at > interval '1500 milliseconds'`).
			Scan(&rounds)
		return err == nil && rounds == 2
	})
	if got := r.types(); !slices.Equal(got, []string{"alert.firing"}) {
		t.Fatalf("messages = %q", got)
	}
	if _, err := d.Pool.Exec(t.Context(), `UPDATE materializations
		SET created_at = now() + interval '1 hour'`); err != nil {
		t.Fatal(err)
	}
	if got := r.await(t, 2); !slices.Equal(got, []string{"alert.firing", "alert.recovered"}) {
		t.Errorf("messages = %q", got)
	}
}

func TestAutomationConditions(t *testing.T) {
	t.Parallel()
	up := asset("up", nil, nil)
	eager := asset("eager", []string{"up"}, nil)
	eager.Automation = orchestrator.Eager()
	cron := asset("cron", []string{"up"}, nil)
	cron.Automation = orchestrator.OnCron("0 0 1 1 *", "")
	missing := asset("missing", []string{"up"}, nil)
	missing.Automation = orchestrator.OnMissing()
	parted := asset("parted", nil, nil)
	parted.Partitions, parted.PartitionRequired = orchestrator.StaticPartitions("p", "1", "2"), true
	parted.Automation = orchestrator.OnMissing()
	e := setup(t, parts(t, orchestrator.Declarations{Assets: []*orchestrator.Asset{up, eager, cron, missing, parted}}))
	says := func(name string, run bool, why string) {
		t.Helper()
		v, err := e.AutomationOf(t.Context(), name)
		if err != nil || v.WouldRun != run || !strings.Contains(v.Reason, why) {
			t.Errorf("%s: %+v, %v; want %t, %q", name, v, err, run, why)
		}
	}
	tick := func(want ...string) {
		t.Helper()
		got := []string{}
		for _, id := range evaluate(t, e, orchestrator.AutomationSensorName).RunIDs {
			run, _ := wait(t, e, id)
			name := run.Assets[0]
			if run.Partition != nil {
				name += " " + *run.Partition
			}
			got = append(got, name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("it started %q, want %q", got, want)
		}
	}
	says("eager", false, "up, which it depends on, was never materialized")
	says("parted", true, "missing: 1, 2; automation_sensor is stopped")
	tick("parted 1", "parted 2")
	tick()
	wait(t, e, start(t, e, orchestrator.RunRequest{Assets: []string{"up"}}).ID)
	says("eager", true, "it was never materialized")
	says("missing", true, "it was never materialized")
	says("cron", true, "it was not materialized since")
	tick("eager", "cron", "missing")
	says("eager", false, "nothing it depends on is newer")
	says("cron", false, "the next is ")
	says("missing", false, "it is there")
	tick()
	wait(t, e, start(t, e, orchestrator.RunRequest{Assets: []string{"up"}}).ID)
	says("eager", true, "newer than it: up")
	nodes, err := e.Graph(t.Context(), []string{"eager", "up"})
	if err != nil || len(nodes) != 2 || nodes[0].Stale || !nodes[1].Stale ||
		!slices.Equal(nodes[1].StaleCauses, []string{"up"}) ||
		nodes[1].Status != "materialized" {
		t.Errorf("graph = %+v, %v", nodes, err)
	}
	tick("eager")
	tick()
	bad := asset("bad", nil, nil)
	bad.Automation = orchestrator.OnCron("61 * * * *", "")
	if _, err := orchestrator.NewDefinitions(orchestrator.Declarations{Assets: []*orchestrator.Asset{bad}}); err == nil ||
		!strings.Contains(err.Error(), `cron "61 * * * *"`) {
		t.Errorf("bad cron: %v", err)
	}
}
