package orchestrator_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
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
	// the window is over
	if _, err := d.Pool.Exec(t.Context(), `UPDATE alerts SET tell_at = now() WHERE recovered_at IS NULL`); err != nil {
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
		checked, asset("below", []string{"checked"}, nil), asset("further", []string{"below"}, nil),
		asset("beside", nil, nil),
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

// TestCheckMetadata has checks return metadata that does not encode to JSON: they do not pass, and the run goes on.
func TestCheckMetadata(t *testing.T) {
	t.Parallel()
	returns := func(name string, v any) *orchestrator.Check {
		return &orchestrator.Check{Name: name, Run: func(context.Context, *orchestrator.Step, orchestrator.Metadata) (
			orchestrator.CheckOutcome, error,
		) {
			return orchestrator.CheckOutcome{Passed: true, Metadata: orchestrator.Metadata{"v": v}}, nil
		}}
	}
	a := asset("a", nil, nil)
	a.Checks = []*orchestrator.Check{returns("encodes", 1), returns("panics", noJSON{}), returns("fails", math.Inf(1))}
	e := setup(t, define(t, []*orchestrator.Asset{a}, nil))
	run, events := wait(t, e, start(t, e, orchestrator.RunRequest{Assets: []string{"a"}}).ID)
	var got []string
	for _, ev := range events {
		if ev.Type == eventlog.AssetCheck {
			got = append(got, ev.Message)
		}
	}
	want := []string{"check encodes passed", "check panics did not pass: the check itself failed: panic: no JSON",
		"check fails did not pass: the check itself failed: metadata cannot be encoded as JSON: " +
			"json: unsupported value: +Inf"}
	if run.Status != orchestrator.StatusSuccess || !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", run.Status, got, want)
	}
}
