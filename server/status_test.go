package server_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
)

func TestStartSelection(t *testing.T) {
	t.Parallel()
	s := setup(t)
	close(s.gate)
	run := s.start("/runs",
		`{"assets": ["gated", "echo"], "config": {"ops": {"echo": {"config": {"limit": 7}}}}, "tags": {"why": "test"}}`, "Idempotency-Key", "k")
	again := s.start("/runs",
		`{"assets": ["gated", "echo"], "config": {"ops": {"echo": {"config": {"limit": 7}}}}, "tags": {"why": "test"}}`, "Idempotency-Key", "k")
	if again.ID != run.ID {
		t.Error("the same Idempotency-Key started another run")
	}
	ended := s.ended(run.ID.String())
	if ended.Status != api.RunStatusSuccess || ended.Job != nil || len(ended.Steps) != 2 ||
		ended.Steps[0].Asset != "echo" || ended.Tags["why"] != "test" {
		t.Errorf("run = %+v", ended)
	}
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"no body": {"", 422}, "no assets": {`{"assets": []}`, 422}, "unknown asset": {`{"assets": ["nope"]}`, 404}, "partition": {`{"assets": ["echo"], "partition": "x"}`, 422},
		"wrong config": {`{"assets": ["echo", "gated"], "config": {"ops": {"echo": {"config": {"limit": 0}}}}}`, 422}, "unknown field": {`{"assets": ["echo"], "asset": 1}`, 422},
	} {
		a := s.do("POST", "/runs", c.body)
		if p := decode[api.Problem](t, a, c.status); p.Detail == "" {
			t.Errorf("%s: %s", name, a.body)
		}
	}
	before, after := run.CreatedAt.Add(-time.Hour).Format(time.RFC3339), run.CreatedAt.Add(time.Hour).Format(time.RFC3339)
	for query, want := range map[string]int{
		"created_before=" + before:                             0,
		"created_before=" + after:                              1,
		"created_after=" + before + "&created_before=" + after: 1,
	} {
		if got := decode[api.RunList](t, s.do("GET", "/runs?"+query, ""), 200); len(got.Items) != want {
			t.Errorf("%s: %d runs, want %d", query, len(got.Items), want)
		}
	}
}

// sse asks for a stream and gives what its data lines hold, until the test ends.
func (s *site) sse(path string) <-chan string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), "GET", s.url+path, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %v %v", path, resp, err)
	}
	data := make(chan string)
	go func() {
		defer resp.Body.Close()
		defer close(data)
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if d, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				select {
				case data <- d:
				case <-s.t.Context().Done():
					return
				}
			}
		}
	}()
	return data
}

func TestStatus(t *testing.T) {
	t.Parallel()
	s := setup(t)
	if _, err := s.db.Pool.Exec(t.Context(), `INSERT INTO source_states (source, url, requests_per_second, max_in_flight,
		held_until, breaker_open_until, last_error)
		VALUES ('legisinfo', 'https://example.org', 4, 4, now() + interval '1 hour', now() - interval '1 s',
		'was away')`); err != nil {
		t.Fatal(err)
	}
	st := decode[api.SystemStatus](t, s.do("GET", "/status", ""), 200)
	if len(st.Workers) != 1 || !st.Workers[0].Alive || len(st.Queues) < 2 || len(st.Schedules) != 1 ||
		st.Schedules[0].Running {
		t.Errorf("status = %+v", st)
	}
	if len(st.Sources) != 1 || st.Sources[0].Breaker != api.Closed || st.Sources[0].HeldUntil == nil ||
		*st.Sources[0].LastError != "was away" {
		t.Errorf("sources = %+v", st.Sources)
	}

	stream := s.sse("/status")
	wait := func(what string, is func(api.SystemStatus) bool) {
		t.Helper()
		for d := range stream {
			var st api.SystemStatus
			if err := json.Unmarshal([]byte(d), &st); err != nil {
				t.Fatal(err)
			}
			if is(st) {
				return
			}
		}
		t.Fatalf("the stream ended before %s", what)
	}
	steps := func(st api.SystemStatus) api.Queue {
		for _, q := range st.Queues {
			if q.Name == "materialize" {
				return q
			}
		}
		t.Fatal("no queue of steps")
		return api.Queue{}
	}
	wait("it began", func(api.SystemStatus) bool { return true })
	s.do("POST", "/schedules/nightly/start", "")
	wait(
		"the schedule ran",
		func(st api.SystemStatus) bool { return st.Schedules[0].Running && st.Schedules[0].ChangedAt != nil },
	)
	run := s.start("/assets/gated/materialize", "")
	wait("a job ran", func(st api.SystemStatus) bool { return steps(st).Running == 1 })
	close(s.gate)
	s.ended(run.ID.String())
	wait("the job was over", func(st api.SystemStatus) bool { return steps(st).Running == 0 })
}

func TestEventsOfTypes(t *testing.T) {
	t.Parallel()
	s := setup(t)
	stream := s.sse("/events?type=run_success&type=materialization")
	s.ended(s.start("/assets/echo/materialize", "").ID.String())
	for _, want := range []string{"materialization", "run_success"} {
		var e api.Event
		if err := json.Unmarshal([]byte(<-stream), &e); err != nil || e.Type != want {
			t.Errorf("event %q (%v), want %s", e.Type, err, want)
		}
	}
}

func TestBillStages(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.saveBill("44-1", "C-2", "2022-02-03", "An Act respecting rivers")
	if got := decode[api.StageList](t, s.do("GET", "/bills/44-1/C-2/stages", ""), 200); len(got.Items) != 0 {
		t.Errorf("stages of a bill without a detail: %+v", got)
	}
	decode[api.Problem](t, s.do("GET", "/bills/44-1/C-3/stages", ""), 404)

	detail := &legisinfo.Detail{ItemHash: "x", ID: 5, Stages: []legisinfo.Stage{
		{Chamber: "house", NameEn: "First reading", NameFr: "Première lecture", State: 1},
		{Chamber: "senate", NameEn: "First reading", NameFr: "Première lecture", State: 4, Since: "2022-03-01"},
		{Chamber: "senate", NameEn: "Consideration in committee", State: 3, Since: "2022-04-01", Committee: "NFFN"},
		{Chamber: "senate", NameEn: "Royal assent", NameFr: "Sanction royale", State: 1},
	}}
	id := parliament.BillID{Parliament: 44, Session: 1, Prefix: "S", Digits: 5}
	if _, err := s.store.Save(t.Context(), [16]byte{1},
		[]parliament.Record{{ID: id, FetchedAt: time.Now(), SourceRecords: parliament.SourceRecords{
			Item: &legisinfo.Item{
				ID: 5, Session: "44-1", Number: "S-5", LongTitleEn: "An Act", Chamber: "senate", Hash: "x",
			},
			Detail: detail,
		}}}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, st := range decode[api.StageList](t, s.do("GET", "/bills/44-1/s-5/stages", ""), 200).Items {
		since, committee := "", ""
		if st.StateSince != nil {
			since = *st.StateSince
		}
		if st.Committee != nil {
			committee = *st.Committee
		}
		got = append(
			got, strings.TrimSpace(string(st.Chamber)+" "+*st.Name.En+" "+string(st.State)+" "+since+" "+committee),
		)
	}
	want := "senate First reading completed 2022-03-01|" +
		"senate Consideration in committee in_progress 2022-04-01 NFFN|" +
		"house First reading not_reached|senate Royal assent not_reached"
	if strings.Join(got, "|") != want {
		t.Errorf("stages\n%s, want\n%s", strings.Join(got, "|"), want)
	}
}
