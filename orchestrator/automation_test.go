package orchestrator_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/notify"
)

func TestSelect(t *testing.T) {
	t.Parallel()
	// a -> b -> c -> e, d stands alone
	group := func(a *orchestrator.Asset, g string) *orchestrator.Asset { a.Group = g; return a }
	d := parts(t, orchestrator.Declarations{Assets: []*orchestrator.Asset{
		group(
			asset("aa", nil, nil),
			"one",
		), group(asset("bb", []string{"aa"}, nil), "one"), group(asset("cc", []string{"bb"}, nil), "two"),
		group(asset("dd", nil, nil), "two"), group(asset("ee", []string{"cc"}, nil), "two"),
	}})
	for selection, want := range map[string]string{
		"*": "aa bb cc dd ee", "bb": "bb", "+cc": "aa bb cc", "bb+": "bb cc ee", "+bb+": "aa bb cc ee", "1+cc": "bb cc", "bb+1": "bb cc", "0+cc": "cc", "2+ee": "bb cc ee",
		"group:one": "aa bb", "group:t*": "cc dd ee", `key:"?a"`: "aa", "aa, dd": "aa dd", "aa or dd": "aa dd", "group:two and +ee": "cc ee", "not group:one": "cc dd ee",
		"not (aa or bb+)": "dd", "* and not dd": "aa bb cc ee", " ( bb )+ ": "bb cc ee", "AA": "", "": "", "nope": "", "group:nope": "", "owner:x": "", "(aa": "", "aa bb": "", "aa and": "",
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

func TestBackfill(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int64
	var mu sync.Mutex
	fail := map[string]bool{"p3": true}
	gate, entered := make(chan struct{}), make(chan struct{}, 100)
	a := orchestrator.NewAsset(orchestrator.AssetOptions{
		Name: "a", Partitions: orchestrator.StaticPartitions("p", "p1", "p2", "p3", "p4", "p5", "p6"),
		PartitionConfig: func(key string) (map[string]any, error) { return map[string]any{"n": int(key[1] - '0')}, nil },
	}, func(ctx context.Context, step *orchestrator.Step, c struct {
		N int    `json:"n" jsonschema:"required"`
		S string `json:"s" jsonschema:"default=x"`
	},
	) (orchestrator.Metadata, error) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		entered <- struct{}{}
		select {
		case <-gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		mu.Lock()
		defer mu.Unlock()
		if fail[step.Partition] {
			return nil, orchestrator.Permanent(errors.New("told to fail"))
		}
		return orchestrator.Metadata{"n": c.N}, nil
	})
	d := dbtest.NewWatched(t)
	define := func() *orchestrator.Definitions {
		return parts(t, orchestrator.Declarations{Assets: []*orchestrator.Asset{a, asset("plain", nil, nil)}})
	}
	e := startEngine(t, d, define())
	ctx := t.Context()

	for name, c := range map[string]struct {
		req  orchestrator.BackfillRequest
		want string
	}{
		"no such partition": {orchestrator.BackfillRequest{Assets: []string{"a"}, Keys: []string{"p1", "p9"}}, `/partitions/1: "p9" is not a partition of p: it has p1`},
		"reversed range":    {orchestrator.BackfillRequest{Assets: []string{"a"}, From: "p4", To: "p2"}, `/range: "p4" comes after "p2"`},
		"no such end":       {orchestrator.BackfillRequest{Assets: []string{"a"}, To: "p9"}, `/range/to: "p9"`},
		"not partitioned":   {orchestrator.BackfillRequest{Assets: []string{"plain"}}, "/assets: none of plain is partitioned"},
		"bad config":        {orchestrator.BackfillRequest{Assets: []string{"a"}, Config: json.RawMessage(`{"n": 7}`)}, "/n: is 7, but the partition makes it 1"},
		"unknown asset":     {orchestrator.BackfillRequest{Assets: []string{"nope"}}, `asset "nope" does not exist`},
	} {
		if _, err := e.PlanBackfill(ctx, c.req); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	plan, err := e.PlanBackfill(ctx, orchestrator.BackfillRequest{Assets: []string{"a"}, From: "p2", To: "p5"})
	if err != nil || !slices.Equal(plan.Keys, []string{"p2", "p3", "p4", "p5"}) || plan.Concurrency != 2 {
		t.Fatalf("plan = %+v, %v", plan, err)
	}
	b, _, err := e.StartBackfill(
		ctx,
		orchestrator.BackfillRequest{
			Assets: []string{"a"},
			Keys:   []string{"p5", "p2", "p3", "p4"},
			By:     "me",
			Config: json.RawMessage(`{"s":"y"}`),
		},
	)
	if err != nil || b.Total != 4 {
		t.Fatalf("backfill = %+v, %v", b, err)
	}
	state := func() *orchestrator.Backfill {
		t.Helper()
		s, err := e.Backfill(ctx, b.ID)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	receive(t, "a run", entered)
	receive(t, "a second run", entered)
	if _, err := e.PauseBackfill(ctx, b.ID); err != nil {
		t.Fatal(err)
	}
	gate <- struct{}{}
	gate <- struct{}{}
	until(t, e, "the two runs end, and no other begins", func() bool { return state().Counts["running"] == 0 })
	if s := state(); s.Status != "paused" || s.Counts["pending"] != 2 {
		t.Errorf("paused: %+v", s)
	}
	if _, err := e.ResumeBackfill(ctx, b.ID); err != nil {
		t.Fatal(err)
	}
	receive(t, "it goes on", entered)
	receive(t, "it goes on with two", entered)
	// A restart in the middle: another process ends it.
	stop, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := e.Stop(stop); err != nil {
		t.Fatal(err)
	}
	e = startEngine(t, d, define())
	close(gate)
	until(t, e, "it ends", func() bool { return state().EndedAt != nil })
	if s := state(); s.Status != "failure" || s.Counts["success"] != 3 || s.Counts["failure"] != 1 || most.Load() != 2 {
		t.Errorf("ended: %+v, %d at once", s, most.Load())
	}
	all, err := e.BackfillPartitions(ctx, b.ID, "", nil, 10)
	if err != nil || len(all) != 4 || all[0].Key != "p2" || all[1].Status != "failure" || all[1].RunID == nil {
		t.Errorf("partitions = %+v, %v", all, err)
	}
	run, err := e.Run(ctx, *all[0].RunID)
	if err != nil || run.TriggerKind != "backfill" || *run.BackfillID != b.ID || run.Priority != 3 ||
		*run.Partition != "p2" ||
		!strings.Contains(strings.ReplaceAll(string(run.Config), " ", ""), `"n":2,"s":"y"`) {
		t.Errorf("run = %+v, %v", run, err)
	}
	if p, err := e.PlanBackfill(ctx, orchestrator.BackfillRequest{Assets: []string{"a"}, Only: "missing"}); err != nil ||
		!slices.Equal(p.Keys, []string{"p1", "p6"}) {
		t.Errorf("missing: %+v, %v", p, err)
	}
	if p, err := e.PlanBackfill(ctx, orchestrator.BackfillRequest{Assets: []string{"a"}, Only: "failed"}); err != nil ||
		!slices.Equal(p.Keys, []string{"p3"}) {
		t.Errorf("failed: %+v, %v", p, err)
	}
	mu.Lock()
	clear(fail)
	mu.Unlock()
	if _, err := e.CancelBackfill(ctx, b.ID, "me"); !errors.Is(err, orchestrator.ErrConflict) {
		t.Errorf("canceled after its end: %v", err)
	}
	if _, err := e.RetryBackfill(ctx, b.ID); err != nil {
		t.Fatal(err)
	}
	until(t, e, "the retry ends", func() bool { return state().EndedAt != nil })
	if s := state(); s.Status != "success" || s.Counts["success"] != 4 {
		t.Errorf("retried: %+v", s)
	}
	if _, err := e.RetryBackfill(ctx, b.ID); !errors.Is(err, orchestrator.ErrConflict) {
		t.Errorf("retried without a failure: %v", err)
	}
	if _, _, err := e.StartBackfill(ctx, orchestrator.BackfillRequest{Assets: []string{"a"}, Only: "failed"}); !errors.Is(
		err,
		orchestrator.ErrConflict,
	) {
		t.Errorf("nothing to do: %v", err)
	}
}

func TestCancelBackfill(t *testing.T) {
	t.Parallel()
	started := make(chan struct{}, 10)
	a := asset("a", nil, func(ctx context.Context, _ *orchestrator.Step) error {
		started <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	})
	a.Partitions = orchestrator.StaticPartitions("p", "1", "2", "3", "4")
	e := setup(t, parts(t, orchestrator.Declarations{Assets: []*orchestrator.Asset{a}}))
	b, _, err := e.StartBackfill(t.Context(), orchestrator.BackfillRequest{Assets: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	<-started
	<-started
	if _, err := e.CancelBackfill(t.Context(), b.ID, "me"); err != nil {
		t.Fatal(err)
	}
	until(t, e, "it ends", func() bool {
		b, err = e.Backfill(t.Context(), b.ID)
		return err == nil && b.EndedAt != nil
	})
	if b.Status != "canceled" || b.Counts["canceled"] != 4 {
		t.Errorf("%+v", b)
	}
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
		t,
		orchestrator.Declarations{Assets: []*orchestrator.Asset{hold("x", "src"), hold("y", "src"), hold("z")}},
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
	if _, err := orchestrator.New(orchestrator.Config{DB: dbtest.New(t), Definitions: defs, Logger: testLogger(t), Limits: []orchestrator.Limit{{Key: "pool:nope", Max: 1}}}); err == nil ||
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

// receiver takes alerts and verifies their signatures with the library that others use.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	messages []map[string]any
	ids      []string
	came     chan struct{} // after each message
	status   atomic.Int64
}

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G"

func newReceiver(t testing.TB) *receiver {
	t.Helper()
	w, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{came: make(chan struct{}, 100)}
	r.status.Store(http.StatusNoContent)
	r.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		if err := w.Verify(body, req.Header); err != nil {
			t.Errorf("signature: %v", err)
		}
		var m map[string]any
		if err := json.Unmarshal(body, &m); err != nil {
			t.Errorf("body: %v", err)
		}
		if s := int(r.status.Load()); s != http.StatusNoContent {
			rw.WriteHeader(s)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.messages, r.ids = append(r.messages, m), append(r.ids, req.Header.Get("webhook-id"))
		r.came <- struct{}{}
	}))
	t.Cleanup(r.Close)
	return r
}

// await waits until so many messages have come in all, and gives their types.
func (r *receiver) await(t testing.TB, n int) []string {
	t.Helper()
	for len(r.types()) < n {
		receive(t, "the next message", r.came)
	}
	return r.types()
}

func (r *receiver) types() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := []string{}
	for _, m := range r.messages {
		out = append(out, m["type"].(string))
	}
	return out
}

func channel(t testing.TB, r *receiver) func(*orchestrator.Config) {
	t.Helper()
	c, err := notify.Parse("ops="+r.URL+"#"+secret, notify.NewGuard(netip.MustParsePrefix("127.0.0.0/8")))
	if err != nil {
		t.Fatal(err)
	}
	return func(cfg *orchestrator.Config) { cfg.Channels = []*notify.Channel{c} }
}

func TestAlertsAreToldOnce(t *testing.T) {
	t.Parallel()
	type say struct{ alert, well bool }
	next := make(chan say, 10)
	teller := &orchestrator.Sensor{
		Name:     "teller",
		Interval: time.Hour,
		Evaluate: func(context.Context, *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
			r := &orchestrator.SensorResult{}
			s := <-next
			if s.alert {
				r.Alerts = []orchestrator.Alert{{Cause: "cause", Title: "It broke", Detail: "badly", Data: map[string]any{"n": 1}}}
			}
			if s.well {
				r.Recovered = []string{"cause"}
			}
			return r, nil
		},
	}
	r := newReceiver(t)
	d := dbtest.NewWatched(t)
	e := startEngine(t, d, parts(t, one(teller)), channel(t, r))
	tell := func(s say) {
		t.Helper()
		next <- s
		if tick := evaluate(t, e, "teller"); tick.Status == "failure" {
			t.Fatalf("tick = %+v", tick)
		}
	}
	r.status.Store(http.StatusInternalServerError) // delivered when the receiver is back, and the recovery after it
	tell(say{alert: true})
	tell(say{alert: true})
	until(t, e, "an attempt", func() bool {
		d, err := e.Alerts().Deliveries(t.Context(), "", nil, 10)
		return err == nil && len(d) == 1 && d[0].Attempts == 1 && d[0].Status == "pending" && d[0].Message != nil &&
			strings.Contains(*d[0].Message, "500")
	})
	tell(say{well: true})
	tell(say{well: true})
	r.status.Store(http.StatusNoContent)
	if got := r.await(t, 2); !slices.Equal(got, []string{"alert.firing", "alert.recovered"}) {
		t.Fatalf("messages = %q", got)
	}
	data := r.messages[0]["data"].(map[string]any)
	if data["cause"] != "cause" || data["title"] != "It broke" || data["severity"] != "error" ||
		data["data"].(map[string]any)["n"] != 1.0 {
		t.Errorf("data = %v", data)
	}
	// Back at once: held back until the window is over, and told then, because it is still so.
	tell(say{alert: true})
	tell(say{alert: true, well: true}) // again and well within the window: nobody hears of it
	tell(say{alert: true})
	alerts, err := e.Alerts().List(t.Context(), true, nil, 10)
	if err != nil || len(alerts) != 1 || alerts[0].Alert.Cause != "cause" || alerts[0].NotifiedAt != nil ||
		len(r.types()) != 2 {
		t.Fatalf("open alerts = %+v, %v; messages = %q", alerts, err, r.types())
	}
	if _, err := d.Pool.Exec(t.Context(), `UPDATE alerts SET tell_at = now() WHERE recovered_at IS NULL`); err != nil { // the window is over
		t.Fatal(err)
	}
	r.await(t, 3)
	tell(say{well: true})
	if got := r.await(t, 4)[2:]; !slices.Equal(got, []string{"alert.firing", "alert.recovered"}) {
		t.Errorf("messages = %q", got)
	}
	all, err := e.Alerts().List(t.Context(), false, nil, 10)
	if err != nil || len(all) != 3 || all[2].Occurrences != 2 || len(all[2].Deliveries) != 2 ||
		all[2].Deliveries[0].ID.String() != r.ids[0] {
		t.Errorf("alerts = %+v, %v", all, err)
	}
	if _, err := e.TestAlertChannel(t.Context(), "nope"); !errors.Is(err, orchestrator.ErrNotFound) {
		t.Errorf("unknown channel: %v", err)
	}
	if _, err := e.TestAlertChannel(t.Context(), "ops"); err != nil {
		t.Fatal(err)
	}
	if got := r.await(t, 5); got[4] != "alert.test" {
		t.Errorf("messages = %q", got)
	}
}

func TestChecks(t *testing.T) {
	t.Parallel()
	var good atomic.Bool
	checked := asset("checked", nil, nil)
	var order []string
	checked.Checks = []*orchestrator.Check{
		{
			Name: "warns",
			Run: func(_ context.Context, _ *orchestrator.Step, md orchestrator.Metadata) (orchestrator.CheckOutcome, error) {
				order = append(order, "warns")
				return orchestrator.CheckOutcome{Message: md["asset"].(string) + " is odd"}, nil
			},
		},
		{
			Name:     "blocks",
			Severity: "error",
			Blocking: true,
			Run: func(context.Context, *orchestrator.Step, orchestrator.Metadata) (orchestrator.CheckOutcome, error) {
				return orchestrator.CheckOutcome{
					Passed:   good.Load(),
					Message:  "looked",
					Metadata: orchestrator.Metadata{"n": 1},
				}, nil
			},
		},
		{
			Name: "panics",
			Run: func(context.Context, *orchestrator.Step, orchestrator.Metadata) (orchestrator.CheckOutcome, error) {
				panic("boom")
			},
		},
	}
	r := newReceiver(t)
	e := setup(t, parts(t, orchestrator.Declarations{Assets: []*orchestrator.Asset{
		checked, asset("below", []string{"checked"}, nil), asset("further", []string{"below"}, nil), asset("beside", nil, nil),
	}}), channel(t, r))
	all := orchestrator.RunRequest{Assets: []string{"checked", "below", "further", "beside"}}
	run, events := wait(t, e, start(t, e, all).ID)
	if s := statuses(run); s["checked"] != "success" || s["below"] != "skipped" || s["further"] != "skipped" ||
		s["beside"] != "success" ||
		run.Status != "failure" ||
		run.Error.Class != "check" {
		t.Errorf("statuses = %v, run %s %+v", s, run.Status, run.Error)
	}
	if !slices.Contains(types(events), "asset_check") || !slices.ContainsFunc(events, func(ev eventlog.Event) bool {
		return ev.Message == "below skipped: check blocks of checked did not pass"
	}) {
		t.Errorf("events = %q", types(events))
	}
	results, err := e.CheckResultsOfRun(t.Context(), run.ID)
	if err != nil || len(results) != 3 || results[0].Message != "checked is odd" || results[0].Passed ||
		results[0].Severity != "warn" ||
		results[1].Name != "blocks" ||
		!strings.Contains(results[2].Message, "panic: boom") {
		t.Errorf("results = %+v, %v", results, err)
	}
	if ms, err := e.Materializations(t.Context(), "checked", "", nil, 10); err != nil || len(ms) != 1 {
		t.Errorf("the materialization is recorded all the same: %d, %v", len(ms), err)
	}
	r.await(t, 1)

	alone, _ := wait(t, e, start(t, e, orchestrator.RunRequest{Assets: []string{"checked", "beside"}}).ID)
	if alone.Status != "success" {
		t.Errorf("with nothing below it: %s", alone.Status)
	}
	good.Store(true)
	if run, _ := wait(t, e, start(t, e, all).ID); run.Status != "success" {
		t.Errorf("good: %s %v", run.Status, statuses(run))
	}
	if got := r.await(t, 2); !slices.Equal(got, []string{"alert.firing", "alert.recovered"}) {
		t.Errorf("messages = %q", got)
	}
	latest, err := e.LatestChecks(t.Context())
	if err != nil || !latest["checked"]["blocks"].Passed || latest["checked"]["warns"].Passed {
		t.Errorf("latest = %+v, %v", latest, err)
	}
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
	daily := &orchestrator.Freshness{By: "30 3 * * *"}
	age := &orchestrator.Freshness{MaxAge: time.Hour}
	a := asset("a", nil, nil)
	a.Freshness = daily
	b := asset("b", nil, nil)
	b.Freshness = age
	parts(t, orchestrator.Declarations{Assets: []*orchestrator.Asset{a, b}})
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
	for _, bad := range []*orchestrator.Freshness{{}, {By: "x"}, {MaxAge: 1, By: "* * * * *"}, {By: "* * * * *", TimeZone: "Mars"}, {By: "@every 5m"}} {
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
		err := d.Pool.QueryRow(t.Context(), `SELECT count(*) FROM workers WHERE beat_at - started_at > interval '1500 milliseconds'`).
			Scan(&rounds)
		return err == nil && rounds == 2
	})
	if got := r.types(); !slices.Equal(got, []string{"alert.firing"}) {
		t.Fatalf("messages = %q", got)
	}
	if _, err := d.Pool.Exec(t.Context(), `UPDATE materializations SET created_at = now() + interval '1 hour'`); err != nil {
		t.Fatal(err)
	}
	if got := r.await(t, 2); !slices.Equal(got, []string{"alert.firing", "alert.recovered"}) {
		t.Errorf("messages = %q", got)
	}
}

func TestAutomationConditions(t *testing.T) {
	t.Parallel()
	up := asset("up", nil, nil)
	eager, cron, missing := asset(
		"eager",
		[]string{"up"},
		nil,
	), asset(
		"cron",
		[]string{"up"},
		nil,
	), asset(
		"missing",
		[]string{"up"},
		nil,
	)
	parted := asset("parted", nil, nil)
	parted.Partitions, parted.PartitionRequired = orchestrator.StaticPartitions("p", "1", "2"), true
	eager.Automation, cron.Automation, missing.Automation, parted.Automation = orchestrator.Eager(), orchestrator.OnCron(
		"0 0 1 1 *",
		"",
	), orchestrator.OnMissing(), orchestrator.OnMissing()
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
