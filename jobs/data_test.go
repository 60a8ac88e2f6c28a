package jobs_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/parliament"
)

// TestFetchPoliticians fetches some politicians, whose records the replay server takes long to make up: bills lead to
// them, and nobody is asked for twice.
func TestFetchPoliticians(t *testing.T) {
	forEachSource(t, lastDay, testFetchPoliticians)
}

func testFetchPoliticians(t *testing.T, r source) {
	p := newPipeline(t, r, 0)
	p.succeed(t, "fetch_parliament_session_bills", `{"parliament": 45, "session": 1}`)
	r.post(t, "/reset")
	p.succeed(t, "fetch_politicians", `{"limit": 12}`)
	if op, _ := r.stats(t); op.path("/politicians/") != 13 {
		t.Errorf("%d requests, want the list and 12 records", op.path("/politicians/"))
	}
	if n := p.count(t, `SELECT count(*) FROM politicians WHERE is_current AND person_id IS NOT NULL`); n != 12 {
		t.Errorf("%d members", n)
	}
	r.post(t, "/reset")
	p.succeed(t, "fetch_politicians", `{"limit": 14, "current_only": false}`)
	if op, _ := r.stats(t); op.path("/politicians/") > 16 || op.path("/politicians/") < 2 {
		t.Errorf("%d requests, want the two lists and what is new", op.path("/politicians/"))
	}
	linked := 0
	bills, err := p.store.Bills(t.Context(), parliament.BillFilter{Parliament: 45, Session: 1, Limit: 500})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bills {
		if b.Sponsor == nil || b.Sponsor.PersonID == nil {
			continue
		}
		known := p.count(t, `SELECT count(*) FROM politicians WHERE person_id = $1`, *b.Sponsor.PersonID) > 0
		if known != (b.Sponsor.Politician != nil) {
			t.Errorf("%s: %+v", b.ID, b.Sponsor)
		}
		if known {
			linked++
		}
	}
	q, err := p.store.Quality(t.Context())
	if err != nil || linked == 0 || q.Sponsors[0].Linked > linked || q.Sponsors[0].WithID != q.Sponsors[0].HouseBills {
		t.Errorf("%d bills lead to their sponsors, %+v, %v", linked, q.Sponsors, err)
	}
}

// TestUnreadableMember has a member's entry in the list spoiled: who cannot be read has not left the House.
func TestUnreadableMember(t *testing.T) {
	var spoiled atomic.Bool
	source := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ada := `{"name": "Ada Byron", "url": "/politicians/ada-byron/"}`
		bob := `{"name": "Bob Long", "url": "/politicians/bob-long/"}`
		if spoiled.Load() {
			bob = `{"name": "Bob Long", "url": "/nowhere/"}`
		}
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/politicians/":
			_, _ = io.WriteString(
				w,
				`{"objects": [`+ada+`, `+bob+`], "pagination": {"offset": 0, "limit": 20, "next_url": null, "previous_url": null}}`,
			)
		case "/politicians/ada-byron/":
			_, _ = io.WriteString(w, ada)
		default:
			_, _ = io.WriteString(w, bob)
		}
	}))
	t.Cleanup(source.Close)
	p := newPipeline(t, replay{openParliament: source.URL, legisinfo: source.URL}, 0)
	for range 2 {
		if run, _ := p.materialize(t, "fetch_politicians", `{}`); run.Status != orchestrator.StatusSuccess {
			t.Fatalf("%+v", run)
		}
		if n := p.count(t, `SELECT count(*) FROM politicians WHERE is_current`); n != 2 {
			t.Errorf("%d members, spoiled: %v", n, spoiled.Load())
		}
		spoiled.Store(true)
	}
	if n := p.count(t, `SELECT count(*) FROM fetch_logs WHERE records_failed = 1`); n != 1 {
		t.Errorf("%d fetches say that a record failed", n)
	}
}

// TestCourses compares divisions, stages and texts of all bills of a session with the records, read here by other
// means.
func TestCourses(t *testing.T) {
	forEachSource(t, lastDay, testCourses)
}

// counted is a division as it is compared.
func counted(number, yeas, nays, paired any, day string, agreed bool) string {
	return fmt.Sprint(number, yeas, nays, paired, day, agreed)
}

// testCourses compares each stored bill of a session with its record. It is long, because it compares one list after
// the other.
func testCourses(t *testing.T, r source) {
	p := newPipeline(t, r, 0)
	p.succeed(t, "fetch_parliament_session_bills", `{"parliament": 44, "session": 1}`)
	bills, votes, stages, texts := 0, 0, 0, 0
	for _, line := range r.raws(t, "44-1") {
		var raw map[string]any
		if err := json.Unmarshal(line, &raw); err != nil {
			t.Fatal(err)
		}
		number := raw["NumberCode"].(string)
		id, err := parliament.ParseBillID("44-1", number)
		if err != nil {
			t.Fatal(err)
		}
		course, err := p.store.Course(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		// Those at the end of a stage must be there; the record's list has them too, and others.
		decided, listed := map[string]bool{}, map[string]bool{}
		for _, v := range raw["HouseVoteDetails"].([]any) {
			v := v.(map[string]any)
			listed[counted(
				v["DivisionNumber"], v["DivisionVotesYeas"], v["DivisionVotesNays"], v["DivisionVotePaired"],
				v["DecisionDateTime"].(string)[:10], v["IsAgreedTo"].(bool),
			)] = true
		}
		wantStages := 0
		if raw["BillStages"].(map[string]any)["RoyalAssent"] != nil {
			wantStages++
		}
		for _, chamber := range []string{"HouseBillStages", "SenateBillStages"} {
			for _, s := range raw["BillStages"].(map[string]any)[chamber].([]any) {
				wantStages++
				decisions, _ := s.(map[string]any)["Decisions"].([]any)
				for _, d := range decisions {
					d := d.(map[string]any)
					if n, _ := d["DivisionNumber"].(float64); n > 0 {
						decided[counted(
							n, d["DivisionVotesYeas"], d["DivisionVotesNays"], d["DivisionVotePaired"],
							d["DecisionSittingDate"].(string)[:10], d["DecisionResultNameEn"] == "Agreed To",
						)] = true
					}
				}
			}
		}
		got := map[string]bool{}
		for _, v := range course.Votes {
			key := counted(v.Number, v.Yeas, v.Nays, v.Paired, *v.Date, v.Result == "agreed_to")
			if got[key] || !listed[key] && !decided[key] {
				t.Errorf("%s: division %q twice, or of no record", id, key)
			}
			got[key] = true
		}
		for key := range decided {
			if !got[key] {
				t.Errorf("%s: division %q is missing among %v", id, key, got)
			}
		}
		if len(course.Stages) != wantStages {
			t.Errorf("%s: %d stages, want %d", id, len(course.Stages), wantStages)
		}
		publications, _ := raw["Publications"].([]any)
		if len(course.Publications) != len(publications) {
			t.Errorf("%s: %d texts, want %d", id, len(course.Publications), len(publications))
		}
		bills, votes, stages, texts = bills+1, votes+len(got), stages+len(course.Stages), texts+len(publications)
	}
	if bills < 100 || votes < 40 {
		t.Errorf("only %d bills, %d votes", bills, votes)
	}
	t.Logf("%d bills, %d votes, %d stages, %d texts", bills, votes, stages, texts)
}

// TestFeedReader polls a feed every other day of May and June 2026: each change of a bill is there once, and none is
// missed.
func TestFeedReader(t *testing.T) {
	dbtest.TakesLong(t)
	forEachSource(t, time.Date(2026, 4, 30, 0, 0, 0, 0, time.UTC), testFeedReader)
}

func testFeedReader(t *testing.T, r source) {
	p := newPipeline(t, r, 0)
	p.succeed(t, "fetch_parliament_session_bills", `{"parliament": 45, "session": 1}`)
	p.succeed(t, "generate_rss_feeds", `{}`)
	seen := map[string]int{}
	poll := func() (fresh int) {
		t.Helper()
		feed, err := p.store.Feed(t.Context(), "bills", "", 100)
		if err != nil {
			t.Fatal(err)
		}
		inFeed := map[string]bool{}
		for _, item := range feed.Items {
			key := fmt.Sprintf("%s %d", item.BillID, item.Version)
			if inFeed[key] {
				t.Errorf("%s stands twice in the feed", key)
			}
			inFeed[key] = true
			if seen[key]++; seen[key] == 1 {
				fresh++
			}
			if item.PublishedAt.After(time.Now()) {
				t.Errorf("%s is of %s", key, item.PublishedAt)
			}
		}
		return fresh
	}
	poll()
	before := p.count(t, "SELECT count(*) FROM bill_versions")
	news := 0
	for day := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC); day.Before(time.Date(
		2026, 6, 19, 0, 0, 0, 0, time.UTC,
	)); day = day.AddDate(0, 0, 2) {
		r.post(t, "/clock?as_of="+day.Format(time.DateOnly))
		p.succeed(t, "fetch_parliament_session_bills", `{"parliament": 45, "session": 1}`)
		if _, err := p.store.UpdateFeeds(t.Context(), 100, func(int) {}); err != nil {
			t.Fatal(err)
		}
		news += poll()
		if again := poll(); again != 0 {
			t.Errorf("%s: %d items are new although nothing happened", day.Format(time.DateOnly), again)
		}
	}
	made := p.count(t, "SELECT count(*) FROM bill_versions") - before
	if news != made || made < 10 {
		t.Errorf("%d changes were made, the reader saw %d", made, news)
	}
	t.Logf("%d changes, each seen once", news)
}

// TestMissingBills takes the clock back, so that bills are gone from both lists: they are kept, and flagged until they
// are back.
func TestMissingBills(t *testing.T) {
	forEachSource(t, lastDay, testMissingBills)
}

func testMissingBills(t *testing.T, r source) {
	p := newPipeline(t, r, 0)
	session := `{"parliament": 45, "session": 1}`
	p.succeed(t, "fetch_parliament_session_bills", session)
	all := p.count(t, "SELECT count(*) FROM bills")
	r.post(t, "/clock?as_of=2026-05-01")
	p.succeed(t, "fetch_parliament_session_bills", session)
	missing := p.count(t, "SELECT count(*) FROM bills WHERE missing_since IS NOT NULL")
	if missing == 0 || p.count(t, "SELECT count(*) FROM bills") != all {
		t.Errorf("%d of %d bills are missing", missing, all)
	}
	q, err := p.store.Quality(t.Context())
	if err != nil || len(q.Missing) != missing || q.Coverage[0].Missing != missing {
		t.Errorf("%+v, %v", q.Missing, err)
	}
	run, _ := p.materialize(t, "data_quality", `{}`)
	if run.Status != "success" {
		t.Errorf("%s", run.Status)
	}
	r.post(t, "/clock?as_of=2026-06-18")
	p.succeed(t, "fetch_parliament_session_bills", session)
	if n := p.count(t, "SELECT count(*) FROM bills WHERE missing_since IS NOT NULL"); n != 0 {
		t.Errorf("%d bills are missing still", n)
	}
}
