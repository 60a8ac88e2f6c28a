package server_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
)

// hostileAnswers are answers of sources that were made to do harm, or that were seen to. Those of many parts are
// {repeat N TEXT}.
var hostileAnswers = []string{
	`[0{repeat 100000 ,0}]`, `{repeat 100000 [}`, `{"objects": [{}{repeat 25000 ,{}}], "pagination": {}}`, `[{"BillId": 1{repeat 100000 ,"k": 0}}]`, `["{repeat 1000000 x}"]`, `[{repeat 1000000 9}]`,
	`{"objects": [], "pagination": {"next_url": "/bills/?limit=500"}}`, `{"objects": [], "pagination": {"next_url": "//evil.test/"}}`, `<html>`, ``, `null`, `[`, "[\"\xff\"]", `["\ud800"]`,
	`[{"BillId": 1, "ParlSessionCode": "44-1", "BillNumberFormatted": "C-1", "Id": 1, "LatestActivityDateTime": "9999-12-31T23:59:59-12:00"}]`,
	`[{"BillId": 1, "ParlSessionCode": "44-1", "BillNumberFormatted": "C-1", "Id": 1, "PassedHouseFirstReadingDateTime": "9999-12-31T23:30:00-05:00", "ReceivedRoyalAssentDateTime": "1600-01-01T00:00:00"}]`,
	`[{"BillId": 1, "ParlSessionCode": "44-1", "BillNumberFormatted": "C-1", "LongTitleEn": "=cmd|'/c calc'!A1\u202e\u0000{repeat 5000 Z}", "SponsorId": 4294967296, "SponsorEn": "\ud800", "LatestActivityDateTime": "2022-02-02T10:00:00-05:00"},
	  {"BillId": 2, "ParlSessionCode": "44-1", "BillNumberFormatted": "C-2", "StatusEn": "<b>", "OriginatingChamberId": 2}, {"BillId": 3, "ParlSessionCode": "44-1", "BillNumberFormatted": "S-3", "PassedSenateFirstReadingDateTime": "1867-11-06T00:00:00"}]`,
	`[{"Id": 1, "StatuteYear": 2022, "StatuteChapter": 4294967304, "ShortLegislativeSummaryEn": "<img src=https://t.test>x", "BillStages": {"HouseBillStages": [{"BillStageNameEn": "x", "Committee": {"CommitteeAcronym": "\u0000<b>"}, "Sittings": [{"NameEn": "x", "Number": "\u001b[2J", "Date": "10000-01-01T00:00:00"}]}]}}]`,
	`{"objects": [{"session": "44-1", "number": "C-1", "introduced": "9999-12-31", "legisinfo_id": -1}, {"session": "44-1", "number": "C-9", "introduced": "2022-02-02", "name": {"en": "\u0000"}, "legisinfo_id": 9}]}`,
	`{"objects": [{"name": "Ada {repeat 3000 é}", "url": "/politicians/ada/"}, {"name": "\u202eB", "url": "/politicians/b/"}, {"name": "C", "url": "/politicians/c/", "image": "//evil.test/"}], "name": "Ada <script>", "family_name": "<<<<{repeat 3000 <}", "url": "/politicians/ada/",
	  "other_info": {"parl_mp_id": ["1e9", "5"]}, "memberships": [{"start_date": "soon", "end_date": "9999-12-31"}]}`,
}

// unfold writes out what a seed says in short.
func unfold(s string) []byte {
	for range 20 {
		before, rest, found := strings.Cut(s, "{repeat ")
		if !found {
			break
		}
		body, after, closed := strings.Cut(rest, "}")
		var n int
		var text string
		if _, err := fmt.Sscanf(body, "%d", &n); err != nil || !closed || n < 0 || n > 1_000_000 {
			break
		}
		if _, text, found = strings.Cut(body, " "); !found || len(text) > 100 {
			break
		}
		if s = before + strings.Repeat(text, n) + after; len(s) > 16<<20 {
			break
		}
	}
	return []byte(s)
}

// FuzzSource has a source answer anything, and reads it through the clients: no answer needs more than its budget of
// memory, records and errors; what is taken of it can be stored; and what is stored pages through by the cursors that
// the API gives.
func FuzzSource(f *testing.F) {
	dbtest.Measures(f)
	for i, s := range hostileAnswers {
		f.Add([]byte(s), i%2 == 0)
	}
	var body atomic.Pointer[[]byte]
	var pack atomic.Bool
	source := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		raw := *body.Load()
		if pack.Load() {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			z.Write(raw)
			z.Close()
			return
		}
		w.Write(raw)
	}))
	f.Cleanup(source.Close)
	s := setup(f)
	asked := 0
	f.Fuzz(func(t *testing.T, raw []byte, packed bool) {
		s.t = t
		raw = unfold(string(raw))
		body.Store(&raw)
		pack.Store(packed)
		asked++
		client := func(name string) *upstream.Client { // of its own, so that no breaker opens
			c, err := upstream.New(upstream.Config{
				Source: fmt.Sprint(name, asked%50), BaseURL: source.URL, UserAgent: "t", DB: s.db,
				Logger: slog.New(slog.DiscardHandler), RetryDelay: time.Microsecond, Timeout: time.Minute,
			})
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		if _, err := s.db.Pool.Exec(t.Context(),
			"TRUNCATE bills, bill_versions, bill_records, politicians, feed_items CASCADE"); err != nil {
			t.Fatal(err)
		}
		readBills(t, s, legisinfo.Client{Client: client("l")}, openparliament.Client{Client: client("o")})
		readPoliticians(t, s, openparliament.Client{Client: client("p")})
		runtime.GC()
		runtime.ReadMemStats(&after)
		// All that was allocated: what an answer needs at once is measured in parliament/upstream. It is asked for five
		// times as often, up to five times if it seems to be cut off.
		if spent := after.TotalAlloc - before.TotalAlloc; spent > 256<<20+40*uint64(len(raw)) {
			t.Errorf("%d bytes cost %d MB", len(raw), spent>>20)
		}
		pagesThrough(t, s)
	})
}

func checkFaults(t *testing.T, records int, faults []*upstream.RecordError, err error) {
	t.Helper()
	if records > upstream.MaxRecords || len(faults) > upstream.MaxFaults+1 {
		t.Errorf("%d records, %d errors", records, len(faults))
	}
	for _, e := range faults {
		if len(e.Error()) > 6000 || db.CleanText(e.Error()) != e.Error() {
			t.Errorf("an error of %d bytes: %.200q", len(e.Error()), e.Error())
		}
	}
	if err != nil && len(err.Error()) > 6000 {
		t.Errorf("an error of %d bytes: %.200q", len(err.Error()), err.Error())
	}
}

// readBills stores what both sources' lists say, with the record of each bill. It is long, because it joins what three
// requests return.
func readBills(t *testing.T, s *site, li legisinfo.Client, op openparliament.Client) {
	t.Helper()
	items, faults, err := li.List(t.Context(), "44-1")
	checkFaults(t, len(items), faults, err)
	bills, faults, err := op.BillsSince(t.Context(), time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
	checkFaults(t, len(bills), faults, err)
	records := map[parliament.BillID]*parliament.Record{}
	of := func(session, number string) *parliament.Record {
		id, err := parliament.ParseBillID(session, number)
		if err != nil || len(records) >= 20 && records[id] == nil {
			return nil
		}
		if records[id] == nil {
			records[id] = &parliament.Record{ID: id, FetchedAt: time.Now()}
		}
		return records[id]
	}
	for i := range items {
		r := of(items[i].Session, items[i].Number)
		if r == nil {
			continue
		}
		r.Item = &items[i]
		if i > 3 {
			continue
		}
		d, err := li.Detail(t.Context(), r.Item)
		var unreadable *upstream.RecordError
		if errors.As(err, &unreadable) {
			checkFaults(t, 0, []*upstream.RecordError{unreadable}, nil)
		}
		r.Detail = d
	}
	d, err := li.Detail(t.Context(), &legisinfo.Item{ID: 1, Session: "44-1", Number: "C-1", Hash: "x"})
	if r := of("44-1", "C-1"); r != nil && err == nil {
		r.Detail = d
	}
	for i := range bills {
		if r := of(bills[i].Session, bills[i].Number); r != nil {
			r.OpenParliament = &bills[i]
		}
	}
	var all []parliament.Record
	for _, r := range records {
		all = append(all, *r)
	}
	if _, err := s.store.Save(t.Context(), uuid.UUID{1}, all); err != nil {
		t.Errorf("what was taken cannot be stored: %v", err)
	}
	list := parliament.SessionList{Session: "44-1", Items: map[parliament.BillID]*legisinfo.Item{}, ReadAt: time.Now()}
	for id, r := range records {
		if r.Item != nil {
			list.Items[id] = r.Item
		}
	}
	if err := s.store.RecordList(t.Context(), list); err != nil {
		t.Errorf("the list cannot be stored: %v", err)
	}
	if _, err := s.store.UpdateFeeds(t.Context(), 100, func(int) {}); err != nil {
		t.Errorf("feeds cannot be made: %v", err)
	}
}

func readPoliticians(t *testing.T, s *site, op openparliament.Client) {
	t.Helper()
	members, faults, err := op.Politicians(t.Context(), true)
	checkFaults(t, len(members), faults, err)
	for _, m := range members[:min(len(members), 10)] {
		person, err := op.Politician(t.Context(), m.Slug)
		if err != nil {
			person = &openparliament.Person{Slug: m.Slug, Name: m.Name, FamilyName: m.Name, GivenName: m.Name}
		}
		if _, err := s.store.SavePolitician(t.Context(), uuid.UUID{1}, m, parliament.PoliticianOf(m, person),
			true); err != nil {
			t.Errorf("a politician cannot be stored: %v", err)
		}
	}
}

// pagesThrough reads all lists one item at a time, by the cursors that they give, and each thing by itself.
func pagesThrough(t *testing.T, s *site) {
	t.Helper()
	for _, path := range []string{
		"/bills", "/bills?sort=updated", "/bills?sort=latest_activity", "/bills?sort=latest_activity&order=asc",
		"/bills?order=asc", "/politicians",
	} {
		var total int
		for next := "&count=true"; next != ""; {
			separator := "?"
			if strings.Contains(path, "?") {
				separator = "&"
			}
			a := s.do("GET", path+separator+"limit=1"+next, "")
			if a.StatusCode != http.StatusOK {
				t.Errorf("%s%s: %s %.300s", path, next, a.Status, a.body)
				break
			}
			var page struct {
				Items      []json.RawMessage `json:"items"`
				NextCursor *string           `json:"next_cursor"`
			}
			if err := json.Unmarshal(a.body, &page); err != nil {
				t.Fatal(err)
			}
			if total += len(page.Items); total > 30 {
				t.Errorf("%s has no end", path)
				break
			}
			if next = ""; page.NextCursor != nil {
				next = "&cursor=" + url.QueryEscape(*page.NextCursor)
			}
			if path != "/bills" {
				continue
			}
			for _, raw := range page.Items {
				var b struct{ ID string }
				if err := json.Unmarshal(raw, &b); err != nil {
					t.Fatal(err)
				}
				if a := s.do("GET", "/bills/"+b.ID, ""); a.StatusCode != http.StatusOK ||
					bytes.Contains(a.body, []byte("<img")) || bytes.Contains(a.body, []byte(`\u003cimg`)) {
					t.Errorf("%s: %s %.500s", b.ID, a.Status, a.body)
				}
			}
		}
	}
	for _, path := range []string{
		"/exports/bills.csv", "/exports/bills.ndjson", "/exports/bills.parquet", "/feeds/bills.rss",
	} {
		if a := s.do("GET", path, ""); a.StatusCode != http.StatusOK {
			t.Errorf("%s: %s %.300s", path, a.Status, a.body)
		}
	}
}
