package jobs_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/simulate"
)

// messages are what a run's log warns of and what its fetch log has as errors.
func (p pipeline) messages(t testing.TB, run *orchestrator.Run) string {
	t.Helper()
	var all []string
	rows, err := p.db.Pool.Query(t.Context(), `SELECT message FROM events WHERE run_id = $1 AND level <> 'info'
		UNION ALL SELECT e ->> 'message' FROM fetch_logs, jsonb_array_elements(errors) AS e WHERE run_id = $1`, run.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var m *string
		if err := rows.Scan(&m); err != nil {
			t.Fatal(err)
		}
		if m != nil {
			all = append(all, *m)
		}
	}
	return strings.Join(all, "\n")
}

// startSmallSimulation serves a Parliament of few bills, for tests that make many.
func startSmallSimulation(t testing.TB, asOf time.Time) source {
	t.Helper()
	world, err := simulate.NewWorld(simulate.Options{Codes: []string{"36-1", "44-1", "45-1"}, Bills: 40, AsOf: asOf})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(world.Handler(simulate.Faults{}))
	t.Cleanup(s.Close)
	return source{
		control: s.URL + "/control", openParliament: s.URL, legisinfo: s.URL, sessions: []string{"36-1", "44-1", "45-1"},
	}
}

// TestListsInAnyWay has LEGISinfo answer for one of its two kinds of lists in all the ways that it was seen to, and in
// some others. The other kind is asked for then, no bill lacks enrichment, and an hour in which nothing happened costs
// no detail.
func TestListsInAnyWay(t *testing.T) {
	t.Parallel()
	dbtest.TakesLong(t)
	ways := []string{"overview", "away", "moved", "page", "brief", "empty", "404", "403", "500"}
	for _, kind := range []string{"bare", "session"} {
		for _, way := range ways {
			t.Run(kind+" "+way, func(t *testing.T) {
				t.Parallel()
				r := startSmallSimulation(t, lastDay)
				listed := len(r.items(t, "45-1"))
				r.post(t, "/faults?"+kind+"="+way)
				r.post(t, "/reset")
				p := newPipeline(t, r, 0)
				// What leads nowhere costs one more request, or five where it might have been a mishap.
				more := map[string]int{"overview": 1, "away": 1, "empty": 1, "404": 1, "403": 1, "page": 5, "500": 5}[way]
				healed := false
				if kind == "bare" {
					more = 0 // it is not asked for: openparliament.ca names the session
				}
				if kind == "session" && (way == "brief" || way == "moved") {
					healed = true // what comes is used as it is
				}
				run, md := p.materialize(t, "fetch_latest_bills", `{"limit": 5}`)
				said := p.messages(t, run)
				if md.Status != "success" || md.NotEnriched != 0 || md.Errors != 0 || md.Created != listed ||
					md.OpenParliament > 2 || md.Legisinfo != 1+more+listed {
					t.Errorf("first: %d are listed, %+v\n%s", listed, md, said)
				}
				if more > 0 && !healed && !strings.Contains(said, "was taken from the list without a session") {
					t.Errorf("the log does not say where the list is from: %s", said)
				}
				p.wantCurrent(t, r.as(t, ""), "45-1")
				r.post(t, "/faults?"+kind+"="+way)
				if run, md = p.materialize(t, "fetch_latest_bills", `{"limit": 5}`); md.Status != "success" ||
					md.OpenParliament != 1 || md.Legisinfo != 1+more || md.Created+md.Updated != 0 {
					t.Errorf("a quiet hour: %+v\n%s", md, p.messages(t, run))
				}
			})
		}
	}
}

// as makes LEGISinfo answer correctly but for one fault.
func (r source) as(t testing.TB, fault string) source {
	t.Helper()
	r.post(t, "/faults?bare=&session=&browsers=false&other_sponsors=false&"+fault)
	return r
}

// TestNoListAtAll: bills are stored without enrichment, and the log says of both ways what was got. The next fetch
// makes up for it.
func TestNoListAtAll(t *testing.T) {
	t.Parallel()
	r := startSmallSimulation(t, lastDay)
	p := newPipeline(t, r, 0)
	r.post(t, "/faults?bare=overview&session=404")
	run, md := p.materialize(t, "fetch_latest_bills", `{"limit": 5}`)
	said := p.messages(t, run)
	if md.Status != "partial_success" || md.Fetched != 5 || md.NotEnriched != 5 || md.Legisinfo != 2 {
		t.Errorf("%+v\n%s", md, said)
	}
	for _, part := range []string{
		"no enrichment for 45-1", "answered 404 Not Found", "parlsession=45-1", "is HTML, not JSON", "/legisinfo/en/overview",
		`titled "Overview - LEGISinfo`,
	} {
		if !strings.Contains(said, part) {
			t.Errorf("nothing says %q: %s", part, said)
		}
	}
	r.as(t, "")
	if md := p.succeed(t, "fetch_latest_bills", `{"limit": 5}`); md.NotEnriched != 0 || md.Errors != 0 {
		t.Errorf("after it: %+v", md)
	}
	p.wantCurrent(t, r, "45-1")
}

// TestListOfAnotherSession: a list that has not the session that was asked for is none, and the other way is tried.
func TestListOfAnotherSession(t *testing.T) {
	t.Parallel()
	r := startSmallSimulation(t, lastDay)
	p := newPipeline(t, r, 0)
	r.post(t, "/faults?session=ignored")
	run, md := p.materialize(t, "fetch_parliament_session_bills", `{"parliament": 44, "session": 1, "limit": 5}`)
	if said := p.messages(t, run); md.Status != "partial_success" || md.Fetched != 5 || md.NotEnriched < 5 ||
		!strings.Contains(said, `session "45-1" in the list of session 44-1`) {
		t.Errorf("44-1: %+v\n%s", md, said)
	}
	// 44-1 is the newest that is held, and told of again
	if _, md := p.materialize(t, "fetch_latest_bills", `{"limit": 5}`); md.NotEnriched != 0 || md.Created < 10 {
		t.Errorf("the current session: %+v", md)
	}
}

// TestRefusedClient: an answer 403 says what to set, and LEGISinfo is left alone for the rest of the fetch.
func TestRefusedClient(t *testing.T) {
	t.Parallel()
	r := startSmallSimulation(t, lastDay)
	p := newPipeline(t, r, 0)
	p.succeed(t, "fetch_latest_bills", `{"limit": 5}`)
	r.on(t, lastDay.AddDate(0, 0, 7))
	r.post(t, "/faults?browsers=true")
	run, md := p.materialize(t, "fetch_latest_bills", `{"limit": 5}`)
	if said := p.messages(t, run); md.Status != "partial_success" || md.Legisinfo > 2 ||
		!strings.Contains(said, "USER_AGENT") || !strings.Contains(said, `titled "Access Denied"`) {
		t.Errorf("%+v\n%s", md, said)
	}
	if run, _ := p.materialize(t, "fetch_parliament_session_bills",
		`{"parliament": 36, "session": 1}`); run.Status != orchestrator.StatusFailure ||
		!strings.Contains(p.messages(t, run), "USER_AGENT") {
		t.Errorf("a session that LEGISinfo alone has: %s, %s", run.Status, p.messages(t, run))
	}
}

// TestRefusedRecords has LEGISinfo give its lists and refuse the records: after a few answers 403 it is asked no more,
// and every bill is stored all the same.
func TestRefusedRecords(t *testing.T) {
	t.Parallel()
	r := startSmallSimulation(t, lastDay)
	listed := len(r.items(t, "45-1"))
	var asked atomic.Int32
	simulated, err := url.Parse(r.legisinfo)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(simulated)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasPrefix(req.URL.Path, "/legisinfo/en/bill/") {
			asked.Add(1)
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		proxy.ServeHTTP(w, req)
	}))
	t.Cleanup(s.Close)
	p := newPipeline(t, source{openParliament: r.openParliament, legisinfo: s.URL}, 0)
	run, md := p.materialize(t, "fetch_latest_bills", `{"limit": 5}`)
	// What is in flight when the last one is refused is answered too; the latest bills and the others are asked for in
	// turn.
	if n := int(asked.Load()); n < 5 || n > 2*(5+3) || md.Status != "partial_success" || md.Created != listed ||
		md.NotEnriched != listed {
		t.Errorf("%d records were asked for, %d bills are listed: %+v\n%s", n, listed, md, p.messages(t, run))
	}
}

// TestFormsOfItems: whether LEGISinfo's list has one form or the other, a bill is the same, and a change of form costs
// no detail where the list's own form is held.
func TestFormsOfItems(t *testing.T) {
	t.Parallel()
	dbtest.TakesLong(t)
	r := startSmallSimulation(t, lastDay.AddDate(0, -2, 0))
	own, brief := newPipeline(t, r, 0), newPipeline(t, r, 0)
	own.succeed(t, "fetch_latest_bills", `{"limit": 5}`)
	r.post(t, "/faults?session=brief")
	brief.succeed(t, "fetch_latest_bills", `{"limit": 5}`)
	same := func(when string) {
		t.Helper()
		const docs = `SELECT coalesce(string_agg(id || ' ' || (doc - 'version')::text, E'\n' ORDER BY id), '') FROM bills`
		var of [2]string
		for i, p := range []pipeline{own, brief} {
			if err := p.db.Pool.QueryRow(t.Context(), docs).Scan(&of[i]); err != nil {
				t.Fatal(err)
			}
		}
		a, b := strings.Split(of[0], "\n"), strings.Split(of[1], "\n")
		if len(a) != len(b) || len(a) < 10 {
			t.Fatalf("%s: %d and %d bills", when, len(a), len(b))
		}
		for i := range a {
			if a[i] != b[i] {
				t.Errorf("%s: in the list's own form\n\t%s\nin the other\n\t%s", when, a[i], b[i])
			}
		}
	}
	same("first")
	if md := own.succeed(t, "fetch_latest_bills", `{"limit": 5}`); md.Legisinfo != 1 || md.OpenParliament != 1 ||
		md.Updated != 0 {
		t.Errorf("the other form, for a while: %+v", md)
	}
	r.as(t, "")
	if md := own.succeed(t, "fetch_latest_bills", `{"limit": 5}`); md.Legisinfo != 1 || md.OpenParliament != 1 ||
		md.Updated != 0 {
		t.Errorf("and back: %+v", md)
	}
	r.on(t, lastDay)
	r.post(t, "/faults?session=brief")
	changed := own.succeed(t, "fetch_latest_bills", `{"limit": 5}`)
	if changed.Updated == 0 || changed.Errors != 0 {
		t.Errorf("two months later, in the other form: %+v", changed)
	}
	r.as(t, "")
	own.succeed(t, "fetch_latest_bills", `{"limit": 5}`)
	own.wantCurrent(t, r, "45-1")
	brief.succeed(t, "fetch_latest_bills", `{"limit": 5}`)
	brief.wantCurrent(t, r, "45-1")
	same("two months later")
}

// TestSponsorIsOfTheRecord: the list's SponsorId may be another number than the person's. The record's counts.
func TestSponsorIsOfTheRecord(t *testing.T) {
	t.Parallel()
	dbtest.TakesLong(t)
	r := startSmallSimulation(t, lastDay)
	right, wrong := newPipeline(t, r, 0), newPipeline(t, r, 0)
	right.succeed(t, "fetch_latest_bills", `{"limit": 5}`)
	r.post(t, "/faults?other_sponsors=true")
	run, md := wrong.materialize(t, "fetch_latest_bills", `{"limit": 5}`)
	if said := wrong.messages(t, run); md.Status != "success" || strings.Count(said, "the list's are not used") != 1 {
		t.Errorf("%+v\n%s", md, said)
	}
	const sponsors = `SELECT string_agg(id || ' ' || coalesce(doc -> 'sponsor' ->> 'person_id', '-'), ' ' ORDER BY id)
		FROM bills`
	var of [2]string
	for i, p := range []pipeline{right, wrong} {
		if err := p.db.Pool.QueryRow(t.Context(), sponsors).Scan(&of[i]); err != nil {
			t.Fatal(err)
		}
	}
	if of[0] != of[1] {
		t.Errorf("sponsors by the record\n\t%s\nby a list that has others\n\t%s", of[0], of[1])
	}
	if n := wrong.count(
		t, `SELECT count(*) FROM bills WHERE parts -> 'item' ? 'sponsor_id' AND parts -> 'detail' = 'null'`,
	); n != 0 {
		t.Errorf("%d bills without a record have the list's sponsor", n)
	}
}

// TestSessionsAreFound: the asset of the sessions needs no list without a session either.
func TestSessionsAreFound(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"overview", "away", "moved", "page", "brief", "empty", "404", "403", "500"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			r := startSmallSimulation(t, lastDay)
			p := newPipeline(t, r, 0)
			r.post(t, "/faults?bare="+way)
			if run, _ := p.materialize(t, "parliament_sessions", `{}`); run.Status != orchestrator.StatusSuccess {
				t.Fatalf("%+v", run)
			}
			if n := p.count(t, `SELECT count(*) FROM dynamic_partitions WHERE key = ANY($1)`, r.sessions); n != len(r.sessions) {
				t.Errorf("%d of %d sessions were found", n, len(r.sessions))
			}
		})
	}
}
