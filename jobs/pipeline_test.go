package jobs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/jobs"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
)

// pipeline is the real pipeline on a database of its own.
type pipeline struct {
	engine *orchestrator.Engine
	store  *parliament.Store
	db     *db.DB
	stop   func()
}

func newPipeline(t testing.TB, r replay, rps float64) pipeline {
	t.Helper()
	return pipelineOn(t, dbtest.New(t), r, rps)
}

func pipelineOn(t testing.TB, d *db.DB, r replay, rps float64) pipeline {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil)).With("test", t.Name())
	}
	client := func(source, base string) *upstream.Client {
		c, err := upstream.New(upstream.Config{
			Source: source, BaseURL: base, UserAgent: "parliament-explorer test", RPS: rps, DB: d, Logger: log,
			Timeout: 5 * time.Second, RetryDelay: 20 * time.Millisecond,
		})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	store := parliament.NewStore(d)
	defs, err := jobs.All(jobs.Deps{
		Store: store, OpenParliament: openparliament.Client{Client: client(openparliament.Source, r.openParliament)},
		Legisinfo: legisinfo.Client{Client: client(legisinfo.Source, r.legisinfo+"/legisinfo")},
		Now:       func() time.Time { return lastDay }, // bills of that day are new, whatever day it is
	})
	if err != nil {
		t.Fatal(err)
	}
	e, err := orchestrator.New(orchestrator.Config{DB: d, Definitions: defs, Logger: log, Work: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := pipeline{engine: e, store: store, db: d, stop: sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		if err := e.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})}
	t.Cleanup(p.stop)
	return p
}

type metadata struct {
	Status         string `json:"status"`
	Fetched        int    `json:"bills_fetched"`
	Created        int    `json:"bills_created"`
	Updated        int    `json:"bills_updated"`
	Unchanged      int    `json:"bills_unchanged"`
	Refreshed      int    `json:"bills_refreshed"`
	NotEnriched    int    `json:"bills_not_enriched"`
	Errors         int    `json:"error_count"`
	OpenParliament int    `json:"requests_openparliament"`
	Legisinfo      int    `json:"requests_legisinfo"`
}

// materialize runs one asset to its end.
func (p pipeline) materialize(t testing.TB, asset, config string) (*orchestrator.Run, metadata) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	run, _, err := p.engine.StartRun(ctx, orchestrator.RunRequest{
		Assets: []string{asset}, Config: json.RawMessage(config), Trigger: orchestrator.Trigger{Kind: "api"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.engine.FollowRun(ctx, run.ID, 0, func([]eventlog.Event) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if run, err = p.engine.Run(ctx, run.ID); err != nil {
		t.Fatal(err)
	}
	var md metadata
	ms, err := p.engine.MaterializationsOfRun(ctx, run.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(ms) == 1 {
		if err := json.Unmarshal(ms[0].Metadata, &md); err != nil {
			t.Fatal(err)
		}
	}
	return run, md
}

func (p pipeline) succeed(t testing.TB, asset, config string) metadata {
	t.Helper()
	run, md := p.materialize(t, asset, config)
	if run.Status != "success" {
		t.Fatalf("run ended as %s: %+v", run.Status, run.Steps[0].Error)
	}
	return md
}

func (p pipeline) count(t testing.TB, sql string, args ...any) int {
	t.Helper()
	var n int
	if err := p.db.Pool.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestFetchLatestBills(t *testing.T) {
	t.Parallel()
	forEachSource(t, lastDay, testFetchLatestBills)
}

func testFetchLatestBills(t *testing.T, r source) {
	p := newPipeline(t, r, 0)
	listed := len(r.items(t, "45-1")) // of the current session: all of them are stored, not only the latest
	r.post(t, "/reset")
	md := p.succeed(t, "fetch_latest_bills", `{}`)
	if md.Fetched != 50 || md.Refreshed != listed-50 || md.Created != listed || md.Errors != 0 || md.NotEnriched != 0 {
		t.Errorf("metadata = %+v", md)
	}
	op, li := r.stats(t)
	if op.Requests > 3 || li.path("bills/json") > 1 || li.path("/bill/") != listed || op.MaxInFlight > 4 ||
		li.MaxInFlight > 4 || op.DefaultUA+li.DefaultUA > 0 {
		t.Errorf("requests: openparliament %+v, legisinfo %+v", op, li)
	}
	if md.OpenParliament != op.Requests || md.Legisinfo != li.Requests {
		t.Errorf(
			"metadata counts %d and %d requests, the services %d and %d", md.OpenParliament, md.Legisinfo, op.Requests,
			li.Requests,
		)
	}

	// Exactly the most recently introduced: everything later than the 50th day, and the rest of the fifty from that day.
	all := r.records(t)
	slices.SortFunc(all, func(a, b record) int { return strings.Compare(b.introduced(), a.introduced()) })
	last := all[49].introduced()
	want, onLastDay := map[string]bool{}, map[string]bool{}
	for _, b := range all {
		switch d := b.introduced(); {
		case d > last:
			want[b.id()] = true
		case d == last:
			onLastDay[b.id()] = true
		}
	}
	bills, err := p.store.Bills(t.Context(), parliament.BillFilter{Limit: 50})
	if err != nil || len(bills) != 50 {
		t.Fatalf("%d bills stored, %v", len(bills), err)
	}
	for _, b := range bills {
		if !want[b.ID] && !onLastDay[b.ID] {
			t.Errorf("%s of %v is not among the latest", b.ID, b.IntroducedOn)
		}
		delete(want, b.ID)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}

	r.post(t, "/reset")
	md = p.succeed(t, "fetch_latest_bills", `{}`)
	op, li = r.stats(t)
	if md.Unchanged != 50 || md.Created+md.Updated != 0 || op.Requests > 2 || li.path("bills/json") > 1 ||
		li.path("/bill/") != 0 {
		t.Errorf("second fetch: %+v; openparliament %+v, legisinfo %+v", md, op, li)
	}
	if n := p.count(t, "SELECT count(*) FROM bill_versions"); n != listed {
		t.Errorf("%d versions, want %d", n, listed)
	}
}

func TestFetchSessions(t *testing.T) {
	t.Parallel()
	dbtest.TakesLong(t)
	forEachSource(t, lastDay, func(t *testing.T, r source) {
		p := newPipeline(t, r, 0)
		total, listed := 0, 0
		for _, session := range r.sessions {
			want := len(r.records(t, session))
			if md := p.succeed(t, "fetch_parliament_session_bills", sessionConfig(session)); md.Created != want ||
				md.Errors != 0 {
				t.Errorf("%s: %+v, want %d created", session, md, want)
			}
			total += want
			if n, _, err := parliament.ParseSession(session); err != nil {
				t.Error(err)
			} else if n >= openparliament.FirstParliament {
				listed++
			}
		}
		if op, _ := r.stats(t); op.Requests != listed {
			t.Errorf("%d requests to openparliament, want one for each of %d sessions that it has", op.Requests, listed)
		}
		if n := p.count(t, "SELECT count(*) FROM bills"); n != total {
			t.Errorf("%d bills, want %d", n, total)
		}
		// A session that is not there is an error, not an empty success.
		if run, _ := p.materialize(
			t, "fetch_parliament_session_bills", `{"parliament": 99, "session": 9}`,
		); run.Status != "failure" {
			t.Errorf("session 99-9: %s", run.Status)
		}
	})
}

// TestBillsAreStoredAsTheyAre compares every stored bill of two sessions with the records, read here by other means.
func TestBillsAreStoredAsTheyAre(t *testing.T) {
	t.Parallel()
	dbtest.TakesLong(t)
	forEachSource(t, lastDay, func(t *testing.T, r source) {
		p := newPipeline(t, r, 0)
		sessions := []string{r.sessions[0], "43-2"} // one that LEGISinfo alone has, and one with bills that were taken up
		for _, session := range sessions {
			p.succeed(t, "fetch_parliament_session_bills", sessionConfig(session))
		}
		undated := 0
		for _, want := range r.records(t, sessions...) {
			id, err := parliament.ParseBillID(fmt.Sprintf("%d-%d", want.ParliamentNumber, want.SessionNumber), want.NumberCode)
			if err != nil {
				t.Fatal(err)
			}
			b, err := p.store.Bill(t.Context(), id)
			if err != nil {
				t.Fatalf("%s: %v", id, err)
			}
			introduced := ""
			if b.IntroducedOn != nil {
				introduced = *b.IntroducedOn
			} else {
				undated++
			}
			if b.ID != want.id() || introduced != want.introduced() || b.Law != (want.ReceivedRoyalAssentDateTime != nil) ||
				(b.Statute != nil) != (want.StatuteYear != nil) {
				t.Errorf("%s is %+v, want %+v", id, b, want)
			}
		}
		if undated == 0 {
			t.Error("every bill has a date: these records are not odd enough")
		}
	})
}

// course is where a bill that became law stood, by the days on which that changed.
func (r source) course(t testing.TB) (session string, bill record) {
	t.Helper()
	for _, session := range []string{"44-1", "45-1"} {
		for _, b := range r.records(t, session) {
			if b.ReceivedRoyalAssentDateTime != nil && b.StatuteChapter != nil && b.introduced() != "" &&
				b.introduced() < (*b.ReceivedRoyalAssentDateTime)[:10] {
				return session, b
			}
		}
	}
	t.Fatal("no bill became law")
	return "", record{}
}

// TestRateIsShared runs three workers at once: together they keep to the rate and to four in flight.
func TestRateIsShared(t *testing.T) {
	t.Parallel()
	forEachSource(t, day(2025, 10, 1), func(t *testing.T, r source) {
		r.post(t, "/faults?latency=30ms")
		d := dbtest.New(t)
		var pipelines []pipeline
		for range 3 {
			pipelines = append(pipelines, pipelineOn(t, d, r, 20))
		}
		var wg sync.WaitGroup
		for i, p := range pipelines {
			wg.Go(func() {
				p.materialize(t, "fetch_latest_bills", fmt.Sprintf(`{"limit": %d}`, 10+10*i))
			})
		}
		wg.Wait()
		op, li := r.stats(t)
		// Requests are spaced when they leave; on a busy machine some come in later, and more in one second. Without a
		// common rate there would be three times as many.
		if li.MaxInSecond > 30 || op.MaxInSecond > 30 || li.MaxInFlight > 4 || op.MaxInFlight > 4 {
			t.Errorf("openparliament %+v, legisinfo %+v", op, li)
		}
	})
}

func TestFaults(t *testing.T) {
	t.Parallel()
	dbtest.TakesLong(t)
	for name, start := range sourcesHere() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testFaults(t, start)
		})
	}
}

// testFaults fetches with each kind of fault and during an outage. It is long, because each checks what was stored and
// logged.
func testFaults(t *testing.T, start func(testing.TB, time.Time) source) {
	for name, fault := range map[string]string{
		"500": "500=0.1", "429": "429=0.1", "truncate": "truncate=0.1", "drop": "drop=0.1", "html": "html=0.1",
		"all at 5%": "500=0.05&429=0.05&truncate=0.05&drop=0.05&html=0.05",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, lastDay)
			p := newPipeline(t, r, 0)
			listed := len(r.items(t, "45-1"))
			r.post(t, "/faults?"+fault)
			run, md := p.materialize(t, "fetch_latest_bills", `{}`)
			if run.Status != "success" {
				t.Fatalf("run ended as %s: %+v", run.Status, run.Steps[0].Error)
			}
			if md.Fetched != 50 || md.Created != listed || (md.Errors == 0) != (md.Status == "success") ||
				p.count(t, "SELECT count(*) FROM bills") != listed {
				t.Errorf("metadata = %+v", md)
			}
			// What was left out is made up for, and then all is as if nothing had been.
			r.post(t, "/faults?500=0&429=0&truncate=0&drop=0&html=0")
			if md := p.succeed(t, "fetch_latest_bills", `{}`); md.Errors != 0 || md.NotEnriched != 0 {
				t.Errorf("afterwards: %+v", md)
			}
			if n := p.count(
				t, "SELECT count(*) FROM bills WHERE doc->'bill_type'->>'en' IS NULL OR parts->'detail' = 'null'",
			); n != 0 {
				t.Errorf("%d bills lack enrichment", n)
			}
			if n := p.count(t, "SELECT count(*) FROM fetch_logs"); n != 2 {
				t.Errorf("%d fetch logs, want 2", n)
			}
		})
	}

	t.Run("outage", func(t *testing.T) {
		t.Parallel()
		r := start(t, lastDay)
		p := newPipeline(t, r, 0)
		listed := len(r.items(t, "45-1"))
		p.succeed(t, "fetch_latest_bills", `{"limit": 5}`)
		r.post(t, "/faults?outage=true")
		started := time.Now()
		run, _ := p.materialize(t, "fetch_latest_bills", `{}`)
		if run.Status != "failure" || !strings.Contains(run.Steps[0].Error.Message, "source_unavailable") {
			t.Errorf("run %s: %+v", run.Status, run.Steps[0].Error)
		}
		if d := time.Since(started); d > 90*time.Second {
			t.Errorf("it took %s to give up", d)
		}
		logs, err := p.store.FetchLogs(t.Context(), parliament.FetchLogFilter{Limit: 10})
		if err != nil || len(logs) != 2 || logs[0].Status != "source_unavailable" || len(logs[0].Errors) == 0 {
			t.Errorf("fetch logs %+v, %v", logs, err)
		}
		if n := p.count(t, "SELECT count(*) FROM bills"); n != listed {
			t.Errorf("%d bills, want those stored before", n)
		}
		run, _ = p.materialize(t, "monitor_fetch_operations", `{}`)
		ms, err := p.engine.MaterializationsOfRun(t.Context(), run.ID)
		if err != nil || len(ms) != 1 {
			t.Fatal(ms, err)
		}
		var md map[string]any
		if err := json.Unmarshal(ms[0].Metadata, &md); err != nil || md["success_count"] != 1.0 ||
			md["source_unavailable_count"] != 1.0 || md["success_total_succeeded"] != float64(listed) ||
			md["hours_monitored"] != 24.0 {
			t.Errorf("monitoring: %s", ms[0].Metadata)
		}
	})

	t.Run("LEGISinfo away", func(t *testing.T) {
		t.Parallel()
		r := start(t, lastDay)
		away := r
		away.legisinfo = "http://127.0.0.1:1"
		d := dbtest.New(t)
		p := pipelineOn(t, d, away, 0)
		run, md := p.materialize(t, "fetch_latest_bills", `{"limit": 5}`)
		if run.Status != "success" || md.Status != "partial_success" || md.Fetched != 5 || md.NotEnriched != 5 ||
			md.Errors == 0 {
			t.Errorf("run %s, %+v", run.Status, md)
		}
		p.stop() // or it might take the next run
		if md := pipelineOn(t, d, r, 0).succeed(t, "fetch_latest_bills", `{"limit": 50}`); md.NotEnriched != 0 ||
			md.Errors != 0 {
			t.Errorf("afterwards: %+v", md)
		}
	})
}
