package server_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"github.com/parliament-explorer/parliament-explorer/api"
)

func TestBadRequests(t *testing.T) {
	t.Parallel()
	s := setup(t)
	run := s.start("/assets/echo/materialize", "")
	s.ended(run.ID.String())
	cursorOfRuns := func() string {
		s.ended(s.start("/assets/echo/materialize", "").ID.String())
		list := decode[api.RunList](t, s.do("GET", "/runs?limit=1", ""), 200)
		if list.NextCursor == nil {
			t.Fatal("no next_cursor with two runs and limit 1")
		}
		return *list.NextCursor
	}()
	runs := len(decode[api.RunList](t, s.do("GET", "/runs", ""), 200).Items)
	const materialize = "/assets/echo/materialize"
	for name, c := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		pointers           string
	}{
		"unknown route":      {"GET", "/nope", "", nil, 404, ""},
		"wrong method":       {"DELETE", "/runs", "", nil, 405, ""},
		"unknown asset":      {"GET", "/assets/nope", "", nil, 404, ""},
		"unknown job":        {"POST", "/jobs/nope/runs", "", nil, 404, ""},
		"unknown run":        {"GET", "/runs/0197841c-2a00-7aaa-8000-000000000001", "", nil, 404, ""},
		"no run id":          {"GET", "/runs/abc", "", nil, 404, ""},
		"unknown schedule":   {"POST", "/schedules/nope/start", "", nil, 404, ""},
		"unknown bill":       {"GET", "/bills/44-1/C-11", "", nil, 404, ""},
		"no bill number":     {"GET", "/bills/44-1/X-11", "", nil, 404, ""},
		"no session":         {"GET", "/bills/forty-four/C-11", "", nil, 404, ""},
		"versions of none":   {"GET", "/bills/44-1/C-11/versions", "", nil, 404, ""},
		"materialize none":   {"POST", "/assets/nope/materialize", "", nil, 404, ""},
		"events of none":     {"GET", "/runs/0197841c-2a00-7aaa-8000-000000000001/events", "", []string{"Accept", "text/event-stream"}, 404, ""},
		"limit 0":            {"GET", "/runs?limit=0", "", nil, 422, "/query/limit"},
		"limit -1":           {"GET", "/runs?limit=-1", "", nil, 422, "/query/limit"},
		"limit 501":          {"GET", "/bills?limit=501", "", nil, 422, "/query/limit"},
		"limit x":            {"GET", "/fetch-logs?limit=x", "", nil, 422, "/query/limit"},
		"limit huge":         {"GET", "/runs?limit=99999999999999999999", "", nil, 422, "/query/limit"},
		"no cursor":          {"GET", "/runs?cursor=zzz", "", nil, 400, "/query/cursor"},
		"another's cursor":   {"GET", "/bills?cursor=" + cursorOfRuns, "", nil, 400, "/query/cursor"},
		"unknown status":     {"GET", "/runs?status=nope", "", nil, 422, "/query/status"},
		"bad tag":            {"GET", "/runs?tag=abc", "", nil, 422, "/query/tag/0"},
		"bad time":           {"GET", "/runs?created_after=yesterday", "", nil, 422, "/query/created_after"},
		"unknown parameter":  {"GET", "/runs?stauts=failure", "", nil, 422, "/query/stauts"},
		"NUL in a parameter": {"GET", "/bills?q=a%00b", "", nil, 400, "/query/q"},
		"no UTF-8":           {"GET", "/bills?q=%ff", "", nil, 400, "/query/q"},
		"empty q":            {"GET", "/bills?q=", "", nil, 422, "/query/q"},
		"bad session":        {"GET", "/bills?session=44", "", nil, 422, "/query/session"},
		"bad law":            {"GET", "/bills?law=maybe", "", nil, 422, "/query/law"},
		"bad last event id":  {"GET", "/runs/" + run.ID.String() + "/events", "", []string{"Accept", "text/event-stream", "Last-Event-ID", "x"}, 422, "/header/Last-Event-ID"},
		"bad global id":      {"GET", "/events", "", []string{"Last-Event-ID", "x-y"}, 422, "/header/Last-Event-ID"},
		"half JSON":          {"POST", materialize, `{"config":`, nil, 400, ""},
		"no JSON":            {"POST", materialize, `nope`, nil, 400, ""},
		"bytes":              {"POST", materialize, "{\"tags\":{\"a\":\"\xff\"}}", nil, 400, ""},
		"text":               {"POST", materialize, `{}`, []string{"Content-Type", "text/plain"}, 415, ""},
		"too large":          {"POST", materialize, `{"tags":{"a":"` + strings.Repeat("x", 1<<20) + `"}}`, nil, 413, ""},
		"a list":             {"POST", materialize, `[]`, nil, 422, ""},
		"NUL in a text":      {"POST", materialize, `{"tags":{"a":"x\u0000"}}`, nil, 422, "/tags/a"},
		"several faults":     {"POST", materialize, `{"tags":{"a":5},"config":[1]}`, nil, 422, "/config /tags/a"},
		"unknown field":      {"POST", materialize, `{"confg":{}}`, nil, 422, ""},
		"config 0":           {"POST", materialize, `{"config":{"limit":0}}`, nil, 422, "/config/limit"},
		"config text":        {"POST", materialize, `{"config":{"limit":"x"}}`, nil, 422, "/config/limit"},
		"config unknown key": {"POST", materialize, `{"config":{"lmit":1}}`, nil, 422, "/config/lmit"},
		"half an ops":        {"POST", materialize, `{"config":{"ops":{"echo":{"limit":1}}}}`, nil, 422, "/config/ops/echo/config /config/ops/echo/limit"},
		"no partitions":      {"POST", materialize, `{"partition":"44-1"}`, nil, 422, "/partition"},
		"retry unknown key":  {"POST", "/runs/" + run.ID.String() + "/retry", `{"from":1}`, nil, 422, ""},
		"cancel of an ended": {"POST", "/runs/" + run.ID.String() + "/cancel", "", nil, 409, ""},
		"retry of a success": {"POST", "/runs/" + run.ID.String() + "/retry", `{"from_failure":true}`, nil, 409, ""},
		"empty key":          {"POST", materialize, `{}`, []string{"Idempotency-Key", ""}, 422, "/header/Idempotency-Key"},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.do(c.method, c.path, c.body, c.headers...)
			p := decode[api.Problem](t, a, c.status)
			if ct := a.Header.Get("Content-Type"); ct != "application/problem+json" || p.Status != c.status ||
				p.Title == "" || p.Detail == "" || !strings.HasPrefix(p.Type, "urn:parliament-explorer:") {
				t.Errorf("%s: %s", ct, a.body)
			}
			var pointers []string
			for _, f := range p.Errors {
				pointers = append(pointers, f.Pointer)
				if f.Detail == "" {
					t.Errorf("no detail: %s", a.body)
				}
			}
			if c.pointers != "" && strings.Join(pointers, " ") != c.pointers {
				t.Errorf("pointers %v, want %s: %s", pointers, c.pointers, a.body)
			}
		})
	}
	if now := len(decode[api.RunList](t, s.do("GET", "/runs", ""), 200).Items); now != runs {
		t.Errorf("bad requests made %d runs", now-runs)
	}
}

func TestPanicIsAProblem(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.echo.GET("/boom", func(echo.Context) error { panic("a secret") })
	a := s.do("GET", "/boom", "")
	p := decode[api.Problem](t, a, 500)
	if strings.Contains(string(a.body), "secret") || !strings.Contains(p.Detail, a.Header.Get("X-Request-Id")) {
		t.Errorf("%s", a.body)
	}
}

func TestRuns(t *testing.T) {
	t.Parallel()
	s := setup(t)

	a := s.do("POST", "/assets/echo/materialize", `{"config":{"limit":7},"tags":{"why":"test"}}`)
	run := decode[api.Run](t, a, 202)
	if a.Header.Get("Location") != "/runs/"+run.ID.String() || run.Status != "queued" || run.Trigger.Kind != "api" {
		t.Errorf("%v %s", a.Header, a.body)
	}
	ended := s.ended(run.ID.String())
	if ended.Status != "success" || len(ended.Materializations) != 1 ||
		string(ended.Materializations[0].Metadata) != `{"limit":7}` || string(ended.Config) != `{"limit":7}` {
		t.Errorf("run = %+v", ended)
	}
	a = s.do("GET", "/runs/"+run.ID.String(), "")
	if tag := a.Header.Get("ETag"); tag == "" ||
		s.do("GET", "/runs/"+run.ID.String(), "", "If-None-Match", tag).StatusCode != 304 {
		t.Errorf("ETag %q", tag)
	}
	asset := decode[api.Asset](t, s.do("GET", "/assets/echo", ""), 200)
	if asset.LastMaterialization == nil || asset.LastMaterialization.RunID != run.ID ||
		!slices.Equal(asset.Dependents, []string{"gated"}) {
		t.Errorf("asset = %+v", asset)
	}
	ms := decode[api.MaterializationList](t, s.do("GET", "/assets/echo/materializations", ""), 200)
	if len(ms.Items) != 1 || ms.NextCursor != nil {
		t.Errorf("materializations = %+v", ms)
	}

	// A job with a failing step, and its retry from there.
	both := s.start("/jobs/both/runs", `{"config":{"ops":{"echo":{"config":{"limit":3}}}}}`)
	s.gate <- struct{}{}
	if r := s.ended(both.ID.String()); r.Status != "failure" || r.Error == nil || r.Tags["kind"] != "both" {
		t.Errorf("run = %+v", r)
	}
	retried := s.start("/runs/"+both.ID.String()+"/retry", `{"from_failure":true}`)
	if len(retried.Steps) != 1 || retried.Steps[0].Asset != "gated" || *retried.ParentRunID != both.ID ||
		retried.Trigger.Kind != "retry" {
		t.Errorf("retried = %+v", retried)
	}
	first := decode[api.RunDetail](t, s.do("GET", "/runs/"+both.ID.String(), ""), 200)
	if len(first.Chain) != 2 || first.Chain[0].ID != both.ID || first.Chain[0].Status != "failure" ||
		first.Chain[1].ID != retried.ID || first.PreviousRunID != nil || first.NextRunID == nil ||
		*first.NextRunID != retried.ID {
		t.Errorf("chain %+v, between %v and %v", first.Chain, first.PreviousRunID, first.NextRunID)
	}
	canceled := decode[api.Run](t,
		s.do("POST", "/runs/"+retried.ID.String()+"/cancel", "", "User-Agent", "explorer-cli/1 (alice@home)"), 202)
	if r := s.ended(canceled.ID.String()); r.Status != "canceled" || r.CanceledBy == nil ||
		*r.CanceledBy != "api client at 127.0.0.1 (says it is explorer-cli/1 (alice@home))" {
		t.Errorf("run = %+v", r)
	}

	// Filters and pages.
	for query, want := range map[string]int{
		"": 3, "?status=failure": 1, "?status=queued": 0, "?job=both": 2, "?asset=echo": 2, "?asset=gated": 2, "?tag=why:test": 1, "?tag=kind:both": 2, "?tag=kind:both&tag=why:test": 0,
		"?created_after=2001-01-01T00:00:00Z": 3, "?created_after=2999-01-01T00:00:00Z": 0,
	} {
		if got := decode[api.RunList](t, s.do("GET", "/runs"+query, ""), 200); len(got.Items) != want {
			t.Errorf("/runs%s: %d runs, want %d", query, len(got.Items), want)
		}
	}
	var ids []string
	for path := "/runs?limit=1"; ; {
		list := decode[api.RunList](t, s.do("GET", path, ""), 200)
		for _, r := range list.Items {
			ids = append(ids, r.ID.String())
		}
		if list.NextCursor == nil {
			break
		}
		path = "/runs?limit=1&cursor=" + *list.NextCursor
	}
	if want := []string{retried.ID.String(), both.ID.String(), run.ID.String()}; !slices.Equal(ids, want) {
		t.Errorf("pages gave %v, want %v", ids, want)
	}
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, path := range []string{"/assets/echo/materialize", "/jobs/echo_job/runs", "/schedules/nightly/run"} {
		t.Run(path, func(t *testing.T) {
			body := `{"tags": {"a": "1"}}`
			if strings.HasPrefix(path, "/schedules") {
				body = ""
			}
			first := s.start(path, body, "Idempotency-Key", path)
			// The same, spelt otherwise.
			a := s.do("POST", path, strings.ReplaceAll(body, " ", ""), "Idempotency-Key", path)
			if again := decode[api.Run](t, a, 202); again.ID != first.ID ||
				a.Header.Get("Idempotency-Replayed") != "true" {
				t.Errorf("another run, or not said to be the first: %s", a.body)
			}
			decode[api.Problem](t, s.do("POST", "/assets/echo/materialize", `{"config":{"limit":9}}`, "Idempotency-Key", path),
				409)
		})
	}
}

func TestSchedules(t *testing.T) {
	t.Parallel()
	s := setup(t)
	sched := decode[api.ScheduleState](t, s.do("GET", "/schedules/nightly", ""), 200)
	if sched.Running || len(sched.NextTicks) != 5 || sched.TimeZone != "America/Toronto" {
		t.Errorf("schedule = %+v", sched)
	}
	for range 2 {
		if sched = decode[api.ScheduleState](t, s.do("POST", "/schedules/nightly/start", ""), 200); !sched.Running {
			t.Error("started, but not running")
		}
	}
	if sched = decode[api.ScheduleState](t, s.do("POST", "/schedules/nightly/stop", ""), 200); sched.Running {
		t.Error("stopped, but running")
	}
	run := s.start("/schedules/nightly/run", "")
	ticks := decode[api.TickList](t, s.do("GET", "/schedules/nightly/ticks", ""), 200)
	if len(ticks.Items) != 1 || ticks.Items[0].Kind != "manual" || *ticks.Items[0].RunID != run.ID ||
		*run.Trigger.Name != "nightly" {
		t.Errorf("ticks = %+v", ticks)
	}
	if list := decode[api.ScheduleList](t, s.do("GET", "/schedules", ""), 200); len(list.Items) != 1 ||
		list.Items[0].LastTick == nil {
		t.Errorf("schedules = %+v", list)
	}
}

func TestBills(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, b := range [][3]string{
		{"C-2", "2022-02-03", "An Act respecting rivers"}, {"C-10", "2022-02-03", "An Act respecting lakes & ponds"},
		{"S-5", "2022-02-04", "An Act respecting 100% of seas"}, {"C-201", "", "An Act without a day"},
	} {
		s.saveBill("44-1", b[0], b[1], b[2])
	}
	s.saveBill("44-1", "C-2", "2022-02-03", "An Act respecting great rivers")
	numbers := func(query string) string {
		var out []string
		path := "/bills?limit=2" + query
		for {
			list := decode[api.BillList](t, s.do("GET", path, ""), 200)
			for _, b := range list.Items {
				out = append(out, b.Number)
			}
			if list.NextCursor == nil {
				return strings.Join(out, " ")
			}
			path = "/bills?limit=2" + query + "&cursor=" + *list.NextCursor
		}
	}
	for query, want := range map[string]string{
		"": "S-5 C-2 C-10 C-201", "&q=RIVERS": "C-2", "&q=c-1": "C-10", "&q=100%25": "S-5", "&q=_": "", "&session=44-1": "S-5 C-2 C-10 C-201", "&session=43-2": "",
		"&law=true": "", "&law=false": "S-5 C-2 C-10 C-201", "&updated_since=2999-01-01T00:00:00Z": "", "&status=RoyalAssentGiven": "",
	} {
		if got := numbers(query); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	a := s.do("GET", "/bills/44-1/c-2", "")
	b := decode[api.BillDetail](t, a, 200)
	if b.ID != "44-1/C-2" || b.Version != 2 || *b.Title.En != "An Act respecting great rivers" ||
		b.Sources.Openparliament == nil || b.Committees == nil || b.RelatedBills == nil {
		t.Errorf("bill = %s", a.body)
	}
	if s.do("GET", "/bills/44-1/c-2", "", "If-None-Match", a.Header.Get("ETag")).StatusCode != 304 {
		t.Error("unchanged, but not 304")
	}
	// A session is over by the table of ends, and since there are bills of a later one.
	for _, session := range []string{"90-1", "90-2", "91-1"} {
		s.saveBill(session, "C-2", "2030-01-01", "An Act respecting rivers")
	}
	ended, found := "", []api.Bill{}
	hits := decode[api.SearchResult](t, s.do("GET", "/search?q=rivers", ""), 200).Items
	for _, hit := range hits {
		found = append(found, hit.Bill)
	}
	for _, b := range append(decode[api.BillList](t, s.do("GET", "/bills?q=rivers", ""), 200).Items,
		found...) {
		if *b.SessionEnded != (b.Parliament < 91) {
			ended += " " + b.ID
		}
	}
	if ended != "" || len(hits) != 4 {
		t.Errorf("%d hits; ended, or not:%s", len(hits), ended)
	}
	vs := decode[api.BillVersionList](t, s.do("GET", "/bills/44-1/C-2/versions?limit=1", ""), 200)
	if len(vs.Items) != 1 || vs.NextCursor == nil || vs.Items[0].Version != 2 ||
		vs.Items[0].Changes[0].Field != "title" || !strings.Contains(string(vs.Items[0].Changes[0].To), "great") {
		t.Errorf("versions = %+v", vs)
	}
}

// TestEventStream resumes a run's stream after every event, under 50 runs at once.
func TestEventStream(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			id := s.start("/assets/echo/materialize", "").ID.String()
			var got []string
			for last := ""; ; {
				req, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"/runs/"+id+"/events", nil)
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Accept", "text/event-stream")
				if last != "" {
					req.Header.Set("Last-Event-ID", last)
				}
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				if resp.StatusCode == 204 {
					resp.Body.Close()
					break
				}
				for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
					if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
						last = id
						got = append(got, id)
						break // hang up after one event
					}
				}
				resp.Body.Close()
			}
			list := decode[api.EventList](t, s.do("GET", "/runs/"+id+"/events?limit=500", ""), 200)
			var want []string
			for _, e := range list.Items {
				want = append(want, fmt.Sprint(e.ID))
			}
			if !slices.Equal(got, want) {
				t.Errorf("the stream gave %v, the log has %v", got, want)
			}
		})
	}
	wg.Wait()
}

func TestEventPages(t *testing.T) {
	t.Parallel()
	s := setup(t)
	run := s.ended(s.start("/assets/echo/materialize", "").ID.String())
	var types []string
	for path := "/runs/" + run.ID.String() + "/events?limit=2"; ; {
		list := decode[api.EventList](t, s.do("GET", path, ""), 200)
		for _, e := range list.Items {
			types = append(types, e.Type)
		}
		if list.NextCursor == nil {
			break
		}
		path = "/runs/" + run.ID.String() + "/events?limit=2&cursor=" + *list.NextCursor
	}
	const want = "run_enqueued run_started step_started log step_success materialization run_success"
	if strings.Join(types, " ") != want {
		t.Errorf("events %v, want %s", types, want)
	}
}

func TestSystem(t *testing.T) {
	t.Parallel()
	s := setup(t)
	decode[api.Health](t, s.do("GET", "/healthz", ""), 200)
	ready := decode[api.Readiness](t, s.do("GET", "/readyz", ""), 200)
	if ready.Status != "ready" || len(ready.Checks) != 3 {
		t.Errorf("ready = %+v", ready)
	}
	decode[api.Version](t, s.do("GET", "/version", ""), 200)
	if a := s.do("GET", "/metrics", ""); a.StatusCode != 200 ||
		!strings.Contains(string(a.body), "explorer_http_request_duration_seconds") {
		t.Errorf("metrics: %d", a.StatusCode)
	}
	spec, err := openapi3.NewLoader().LoadFromData(s.do("GET", "/openapi.json", "").body)
	if err != nil {
		t.Fatal(err)
	}
	if err := spec.Validate(t.Context()); err != nil {
		t.Errorf("the contract: %v", err)
	}
	for path, item := range spec.Paths.Map() {
		for method, op := range item.Operations() {
			if op.OperationID == "" || op.OperationID != strings.ToLower(op.OperationID[:1])+op.OperationID[1:] ||
				op.Description == "" || op.Responses.Default() == nil {
				t.Errorf("%s %s: operationId, description or default error missing", method, path)
			}
			if strings.Contains(path, "{") && op.Responses.Status(404) == nil {
				t.Errorf("%s %s: does not document 404", method, path)
			}
		}
	}
	// Pages that a browser opens ask for nothing elsewhere.
	for _, path := range []string{"/docs/", "/riverui/"} {
		a := s.do("GET", path, "")
		if a.StatusCode != 200 || !strings.Contains(a.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.Header.Get("Content-Type"))
		}
		for _, attr := range []string{`src="http`, `href="http`, `src="//`, `href="//`} {
			if strings.Contains(string(a.body), attr) {
				t.Errorf("%s asks for something elsewhere: %s", path, a.body)
			}
		}
	}
	if a := s.do("GET", "/", ""); a.StatusCode != 302 {
		t.Errorf("/: %d", a.StatusCode)
	}
	var graph api.AssetGraph
	if err := json.Unmarshal(s.do("GET", "/assets/graph", "").body, &graph); err != nil || len(graph.Nodes) != 3 ||
		graph.Edges[0] != (api.AssetEdge{From: "echo", To: "gated"}) {
		t.Errorf("graph = %+v, %v", graph, err)
	}
}
