package jobs_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
)

func day(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

func (r source) on(t testing.TB, day time.Time) {
	t.Helper()
	r.post(t, "/clock?as_of="+day.Format(time.DateOnly))
}

// items are what LEGISinfo's list of a session says now.
func (r source) items(t testing.TB, session string) map[string]legisinfo.Item {
	t.Helper()
	resp, err := http.Get(r.legisinfo + "/legisinfo/en/bills/json?parlsession=" + session)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var raws []json.RawMessage
	if err := json.NewDecoder(resp.Body).Decode(&raws); err != nil {
		t.Fatal(err)
	}
	items := map[string]legisinfo.Item{}
	for _, raw := range raws {
		item, err := legisinfo.ParseItem(raw)
		if err != nil {
			t.Fatal(err)
		}
		items[item.Session+"/"+item.Number] = item
	}
	return items
}

// wantCurrent checks that every bill of a session is stored as LEGISinfo's list has it now.
func (p pipeline) wantCurrent(t testing.TB, r source, session string) {
	t.Helper()
	stale, missing := 0, 0
	for id, item := range r.items(t, session) {
		key, err := parliament.ParseBillID(item.Session, item.Number)
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.store.Bill(t.Context(), key)
		if err != nil {
			t.Errorf("%s: %v", id, err)
			missing++
			continue
		}
		activity := ""
		if b.LatestActivityAt != nil {
			activity = *b.LatestActivityAt
		}
		if b.Status.En == nil || *b.Status.En != item.StatusEn || b.Law != (item.RoyalAssent != "") ||
			activity != item.LatestActivity {
			stale++
		}
	}
	if stale+missing > 0 {
		t.Errorf("session %s: %d bills are stale, %d are missing", session, stale, missing)
	}
	lags, err := p.store.Lagging(t.Context())
	if err != nil || len(lags) > 0 {
		t.Errorf("%d bills lag: %+v, %v", len(lags), lags, err)
	}
}

// TestNothingGoesStale fetches a session once and then only the latest bills, for half a year: every bill is kept up to
// date, also those that are not among the latest.
func TestNothingGoesStale(t *testing.T) {
	t.Parallel()
	dbtest.TakesLong(t)
	forEachSource(t, day(2025, 12, 1), func(t *testing.T, r source) {
		p := newPipeline(t, r, 0)
		p.succeed(t, "fetch_parliament_session_bills", `{"parliament": 45, "session": 1}`)
		end := lastDay
		refreshed := 0
		for at := day(2025, 12, 8); ; at = at.AddDate(0, 0, 16) {
			if at.After(end) {
				at = end
			}
			r.on(t, at)
			md := p.succeed(t, "fetch_latest_bills", `{"limit": 20}`)
			if md.Fetched != 20 || md.Created+md.Updated+md.Unchanged != md.Fetched+md.Refreshed || md.Errors != 0 {
				t.Errorf("%s: %+v", at.Format(time.DateOnly), md)
			}
			refreshed += md.Refreshed
			if at.Equal(end) {
				break
			}
		}
		if refreshed == 0 {
			t.Error("no bill besides the latest was refreshed")
		}
		p.wantCurrent(t, r, "45-1")
		if md := p.succeed(t, "fetch_latest_bills", `{"limit": 20}`); md.OpenParliament != 1 || md.Legisinfo != 1 ||
			md.Refreshed != 0 || md.Unchanged != 20 {
			t.Errorf("a quiet hour: %+v", md)
		}
	})
}

// TestFirstFetchStoresTheSession: a fetch of few bills stores every bill of the lists that it reads.
func TestFirstFetchStoresTheSession(t *testing.T) {
	t.Parallel()
	forEachSource(t, day(2026, 6, 18), func(t *testing.T, r source) {
		p := newPipeline(t, r, 0)
		md := p.succeed(t, "fetch_latest_bills", `{"limit": 5}`)
		listed := len(r.items(t, "45-1"))
		if md.Fetched != 5 || md.Refreshed != listed-5 || md.Created != listed || md.OpenParliament > 2 ||
			md.Legisinfo != 1+listed {
			t.Errorf("%d bills are listed: %+v", listed, md)
		}
		p.wantCurrent(t, r, "45-1")
		// What openparliament.ca has of them is stored as well.
		if n := p.count(t, "SELECT count(*) FROM bills WHERE parts -> 'openparliament' = 'null'"); n != 0 {
			t.Errorf("%d bills lack what openparliament.ca has", n)
		}
		if md := p.succeed(t, "fetch_latest_bills", `{"limit": 5}`); md.OpenParliament != 1 || md.Legisinfo != 1 ||
			md.Refreshed != 0 {
			t.Errorf("a quiet hour: %+v", md)
		}
	})
}

// TestEarlierSessionsAreLookedAt: a session before the current one is looked at once a week by the fetch of the latest
// bills, and its corrections are stored.
func TestEarlierSessionsAreLookedAt(t *testing.T) {
	t.Parallel()
	dbtest.TakesLong(t)
	forEachSource(t, day(2024, 6, 18), func(t *testing.T, r source) {
		p := newPipeline(t, r, 0)
		p.succeed(t, "fetch_parliament_session_bills", `{"parliament": 44, "session": 1}`)
		r.on(t, lastDay)
		md := p.succeed(t, "fetch_latest_bills", `{"limit": 20}`)
		if n := p.count(t, "SELECT count(*) FROM bills WHERE parliament = 44 AND updated_at > first_seen_at"); n == 0 &&
			md.Legisinfo < 2 {
			t.Log("44-1 was not read") // its list was read only if it is the newest that is held
		}
		// A list that says too little: openparliament.ca's part and an act's chapter change without any change of an item.
		if _, err := p.db.Pool.Exec(
			t.Context(),
			`UPDATE bills SET parts = jsonb_set(parts, '{detail,statute}', '0'), doc = jsonb_set(doc, '{statute}', 'null')
				WHERE parliament = 44 AND law`,
		); err != nil {
			t.Fatal(err)
		}
		lacking := p.count(t, "SELECT count(*) FROM bills WHERE parliament = 44 AND law")
		if lacking == 0 {
			t.Fatal("no act is held")
		}
		if md := p.succeed(t, "fetch_latest_bills", `{"limit": 20}`); md.OpenParliament != 1 || md.Legisinfo != 1 {
			t.Errorf("within the week: %+v", md)
		}
		if _, err := p.db.Pool.Exec(
			t.Context(), `UPDATE session_lists SET looked_at = looked_at - interval '8 days' WHERE session = '44-1'`,
		); err != nil {
			t.Fatal(err)
		}
		md = p.succeed(t, "fetch_latest_bills", `{"limit": 20}`)
		if md.OpenParliament != 2 || md.Legisinfo != 2+lacking || md.Refreshed != lacking || md.Errors != 0 {
			t.Errorf("after a week, %d acts without a chapter: %+v", lacking, md)
		}
		if n := p.count(t, "SELECT count(*) FROM bills WHERE parliament = 44 AND law AND doc -> 'statute' = 'null'"); n != 0 {
			t.Errorf("%d acts have no chapter", n)
		}
		p.wantCurrent(t, r, "44-1")
		if md := p.succeed(t, "fetch_latest_bills", `{"limit": 20}`); md.OpenParliament != 1 || md.Legisinfo != 1 ||
			md.Refreshed != 0 {
			t.Errorf("a quiet hour: %+v", md)
		}
	})
}

// TestOldDetailsAreCompleted: details that an older version of the program read are completed from their records
// without asking, and the others by asking for a few of them in each fetch. No bill gets a version by it.
func TestOldDetailsAreCompleted(t *testing.T) {
	t.Parallel()
	dbtest.TakesLong(t)
	forEachSource(t, day(2026, 6, 18), func(t *testing.T, r source) {
		p := newPipeline(t, r, 0)
		p.succeed(t, "fetch_latest_bills", `{"limit": 5}`)
		all, versions := p.count(t, "SELECT count(*) FROM bills"), p.count(t, "SELECT count(*) FROM bill_versions")
		age := func(unrecorded int) {
			t.Helper()
			if _, err := p.db.Pool.Exec(
				t.Context(), `UPDATE bills SET parts = jsonb_set(parts, '{detail,reader}', '2')`,
			); err != nil {
				t.Fatal(err)
			}
			if _, err := p.db.Pool.Exec(
				t.Context(), `DELETE FROM bill_records WHERE bill_id IN (SELECT id FROM bills ORDER BY md5(id) LIMIT $1)`,
				unrecorded,
			); err != nil {
				t.Fatal(err)
			}
		}
		incomplete := func() int {
			return p.count(t, `SELECT count(*) FROM bills WHERE (parts -> 'detail' ->> 'reader')::integer = 2`)
		}
		age(0)
		if md := p.succeed(t, "fetch_latest_bills", `{"limit": 5}`); md.Legisinfo != 1 || md.OpenParliament != 1 ||
			incomplete() != 0 {
			t.Errorf("recorded: %+v, %d are incomplete", md, incomplete())
		}
		const unrecorded = 70
		age(unrecorded)
		for i, want := range []int{50, unrecorded - 50, 0} {
			if md := p.succeed(t, "fetch_latest_bills", `{"limit": 5}`); md.Legisinfo != 1+want || md.Errors != 0 {
				t.Errorf("fetch %d asked for %d details, want %d: %+v", i, md.Legisinfo-1, want, md)
			}
		}
		if incomplete() != 0 || p.count(t, "SELECT count(*) FROM bills") != all ||
			p.count(t, "SELECT count(*) FROM bill_versions") != versions ||
			p.count(t, "SELECT count(*) FROM bill_records") != all {
			t.Errorf(
				"%d are incomplete; %d bills, %d versions, want %d and %d", incomplete(), p.count(t, "SELECT count(*) FROM bills"),
				p.count(t, "SELECT count(*) FROM bill_versions"), all, versions,
			)
		}
	})
}

// TestQualityTellsOfLag: bills that nobody fetched for half a year lag, the report says how many and the check fails.
func TestQualityTellsOfLag(t *testing.T) {
	t.Parallel()
	dbtest.TakesLong(t)
	forEachSource(t, day(2025, 12, 1), func(t *testing.T, r source) {
		p := newPipeline(t, r, 0)
		p.succeed(t, "fetch_parliament_session_bills", `{"parliament": 45, "session": 1}`)
		before := r.items(t, "45-1")
		report := func() (lagging int, longest float64, passed bool) {
			run, _ := p.materialize(t, "data_quality", `{}`)
			ms, err := p.engine.MaterializationsOfRun(t.Context(), run.ID)
			if err != nil || len(ms) != 1 {
				t.Fatal(run.Status, ms, err)
			}
			var md struct {
				Lagging int                  `json:"bills_lagging"`
				Longest float64              `json:"longest_lag_seconds"`
				First   []parliament.Lag     `json:"lagging"`
				ReadAt  map[string]time.Time `json:"lists_read_at"`
			}
			if err := json.Unmarshal(ms[0].Metadata, &md); err != nil {
				t.Fatal(err)
			}
			if len(md.First) != min(50, md.Lagging) || md.ReadAt["45-1"].IsZero() {
				t.Errorf("report: %s", ms[0].Metadata)
			}
			return md.Lagging, md.Longest, p.count(
				t, `SELECT count(*) FROM check_results WHERE run_id = $1 AND name = 'no_bill_lags' AND NOT passed`, run.ID,
			) == 0
		}
		if lagging, _, passed := report(); lagging != 0 || !passed {
			t.Errorf("just fetched: %d bills lag, passed %t", lagging, passed)
		}
		r.on(t, lastDay)
		want := 0
		for id, item := range r.items(t, "45-1") {
			if before[id].Hash != item.Hash {
				want++
			}
		}
		if lagging, longest, passed := report(); lagging != want || want == 0 || passed ||
			longest < (24*time.Hour).Seconds() {
			t.Errorf("half a year later: %d bills lag for up to %g s, want %d; passed %t", lagging, longest, want, passed)
		}
		p.succeed(t, "fetch_latest_bills", `{"limit": 20}`)
		if lagging, _, passed := report(); lagging != 0 || !passed {
			t.Errorf("after a fetch: %d bills lag, passed %t", lagging, passed)
		}
	})
}

// TestOlderFetchDoesNotUndo: a fetch that read its lists before another one and stores after it changes nothing back.
func TestOlderFetchDoesNotUndo(t *testing.T) {
	t.Parallel()
	store := parliament.NewStore(dbtest.New(t))
	id := parliament.BillID{Parliament: 44, Session: 1, Prefix: "C", Digits: 11}
	run := uuid.Must(uuid.NewV7())
	save := func(status string, at time.Time) {
		t.Helper()
		item := &legisinfo.Item{ID: 1, Session: "44-1", Number: "C-11", StatusEn: status, Hash: status}
		if _, err := store.Save(t.Context(), run, []parliament.Record{
			{ID: id, SourceRecords: parliament.SourceRecords{Item: item}, FetchedAt: at},
		}); err != nil {
			t.Fatal(err)
		}
	}
	status := func() string {
		b, err := store.Bill(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return *b.Status.En
	}
	now := time.Now()
	save("new", now.Add(-time.Minute))
	save("old", now.Add(-2*time.Minute))
	if s := status(); s != "new" {
		t.Errorf("an older fetch made it %q", s)
	}
	save("newest", now)
	if s := status(); s != "newest" {
		t.Errorf("a newer fetch left it %q", s)
	}
	save("future", now.Add(time.Hour)) // by a clock that is wrong
	save("now", time.Now())
	if s := status(); s != "now" {
		t.Errorf("after a clock's mistake it stays %q", s)
	}
}
