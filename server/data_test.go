package server_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/embed"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
	"github.com/parliament-explorer/parliament-explorer/server"
)

// bill is a made-up bill of both sources.
type bill struct {
	session, number, titleEn, titleFr, shortEn, introduced, status string
	sponsor                                                        int
	committee                                                      string
	assent                                                         string
}

var someBills = []bill{
	{"44-1", "C-11", "An Act to amend the Broadcasting Act", "Loi modifiant la Loi sur la radiodiffusion", "Online Streaming Act", "2022-02-02", "Royal assent received", 7, "CHPC", "2023-04-27"},
	{"44-1", "C-12", "An Act respecting rivers & lakes", "Loi concernant les rivières et les lacs", "", "2022-02-03", "At second reading in the House of Commons", 7, "FOPO", ""},
	{"44-1", "S-203", "An Act respecting autism spectrum disorder", "Loi concernant le trouble du spectre de l’autisme", "Autism Act", "2021-11-24", "Royal assent received", 9, "", "2023-03-30"},
	{"43-2", "C-11", "An Act to enact the Consumer Privacy Protection Act", "Loi édictant la Loi sur la protection de la vie privée", "", "2020-11-17", "At second reading in the House of Commons", 9, "", ""},
	{"43-2", "C-201", "=cmd|'/c calc'!A0", "Loi no 2", "", "2020-10-01", "Outside the Order of Precedence", 0, "", ""},
}

func (s *site) saveBills(run byte, bills ...bill) {
	s.t.Helper()
	var records []parliament.Record
	for i, b := range bills {
		id, err := parliament.ParseBillID(b.session, b.number)
		if err != nil {
			s.t.Fatal(err)
		}
		item := &legisinfo.Item{ID: 100 + i, Session: b.session, Number: b.number, LongTitleEn: b.titleEn,
			LongTitleFr: b.titleFr, ShortTitleEn: b.shortEn, StatusEn: b.status, StatusFr: b.status + " (fr)",
			TypeEn: "House Government Bill", HouseFirst: b.introduced, RoyalAssent: b.assent, SponsorID: b.sponsor,
			SponsorName:    "Hon. Ada Byron",
			LatestActivity: b.introduced + "T12:00:00-04:00", Hash: b.titleEn + b.status}
		detail := &legisinfo.Detail{
			ItemHash: item.Hash, ID: item.ID, Reader: legisinfo.Reader,
			SummaryEn: "<p>About <b>" + b.titleEn + "</b></p>",
		}
		if b.committee != "" {
			detail.Committees = []legisinfo.Committee{{Acronym: b.committee, Chamber: "house",
				NameEn: "Committee " + b.committee, NameFr: "Comité " + b.committee}}
			detail.Stages = []legisinfo.Stage{
				{Chamber: "house", NameEn: "Second reading", State: 4, Since: "2022-05-12", Started: "2022-02-16"},
			}
			detail.Votes = []legisinfo.Vote{{Number: 89, Chamber: "house", StageEn: "Second reading", MotionEn: "2nd reading",
				Date: "2022-05-12", Sitting: "70", Yeas: 208, Nays: 111, Paired: 2, Result: "Agreed To"}}
			detail.Publications = []legisinfo.Text{{ID: 5, NameEn: "First Reading", NameFr: "Première lecture"}}
		}
		listed := &openparliament.Bill{Session: b.session, Number: b.number, NameEn: b.titleEn, Introduced: b.introduced}
		records = append(records, parliament.Record{ID: id, FetchedAt: time.Now(),
			SourceRecords: parliament.SourceRecords{Item: item, Detail: detail, OpenParliament: listed}})
	}
	if _, err := s.store.Save(s.t.Context(), uuid.UUID{run}, records); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) updateFeeds() parliament.FeedCounts {
	s.t.Helper()
	counts, err := s.store.UpdateFeeds(s.t.Context(), 100, func(int) {})
	if err != nil {
		s.t.Fatal(err)
	}
	return counts
}

func (s *site) savePolitician(slug string, person int) {
	s.t.Helper()
	m := openparliament.Member{
		Slug: slug, Name: "Ada Byron", Party: "Analytical", Riding: "Rivière-aux-Engins", Province: "QC",
	}
	p := parliament.PoliticianOf(m, &openparliament.Person{
		Slug: slug, Name: "Ada Byron", GivenName: "Ada", FamilyName: "Byron", PersonID: person, Image: "/media/x.jpg",
		Memberships: []openparliament.Membership{{PartyEn: "Analytical", PartyFr: "Analytique", Start: "2015-10-19"}},
	})
	if _, err := s.store.SavePolitician(s.t.Context(), uuid.UUID{1}, m, p, true); err != nil {
		s.t.Fatal(err)
	}
}

func TestBillCourse(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.saveBills(1, someBills...)
	a := s.do("GET", "/bills/44-1/C-11", "")
	b := decode[api.BillDetail](t, a, 200)
	if len(b.Votes) != 1 || b.Votes[0].Yeas != 208 || b.Votes[0].Result != "agreed_to" ||
		b.Votes[0].URL != "https://www.ourcommons.ca/members/en/votes/44/1/89" || len(b.Publications) != 1 ||
		b.Publications[0].URL != "https://www.parl.ca/DocumentViewer/en/5" {
		t.Errorf("%s", a.body)
	}
	if len(b.Stages) != 1 || *b.Stages[0].StartedOn != "2022-02-16" || *b.Stages[0].CompletedOn != "2022-05-12" ||
		b.Sponsor.Politician != nil {
		t.Errorf("%s", a.body)
	}
	if v := decode[api.VoteList](t, s.do("GET", "/bills/44-1/C-11/votes", ""), 200); len(v.Items) != 1 ||
		v.Items[0].Paired != 2 {
		t.Errorf("%+v", v)
	}
	if v := decode[api.VoteList](t, s.do("GET", "/bills/44-1/S-203/votes", ""), 200); v.Items == nil ||
		len(v.Items) != 0 {
		t.Errorf("%+v", v)
	}
	decode[api.Problem](t, s.do("GET", "/bills/44-1/C-99/votes", ""), 404)
	// Once the sponsor is known, the bill says so, and has another ETag.
	s.savePolitician("ada-byron", 7)
	after := s.do("GET", "/bills/44-1/C-11", "", "If-None-Match", a.Header.Get("ETag"))
	if b := decode[api.BillDetail](t, after, 200); b.Sponsor.Politician == nil || *b.Sponsor.Politician != "ada-byron" {
		t.Errorf("%s", after.body)
	}
}

func TestPoliticians(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.saveBills(1, someBills...)
	s.savePolitician("ada-byron", 7)
	s.savePolitician("nobody-known", 0)
	for query, want := range map[string]int{
		"": 2, "?q=riviere": 2, "?q=Byron,+Ada": 2, "?q=byorn": 2, "?q=Rivi%C3%A8re+aux+Engins": 2, "?q=z": 0, "?q=qz": 0,
		"?q=BYRON": 2, "?q=%25": 0, "?party=Analytical": 2, "?party=Liberal": 0, "?current=true": 2, "?current=false": 0,
		"?province=QC": 2,
	} {
		if list := decode[api.PoliticianList](t, s.do("GET", "/politicians"+query, ""), 200); len(list.Items) != want {
			t.Errorf("%s: %d, want %d", query, len(list.Items), want)
		}
	}
	first := decode[api.PoliticianList](t, s.do("GET", "/politicians?limit=1", ""), 200)
	second := decode[api.PoliticianList](t, s.do("GET", "/politicians?limit=1&cursor="+*first.NextCursor, ""), 200)
	if first.Items[0].Slug == second.Items[0].Slug || second.NextCursor != nil {
		t.Errorf("%+v, %+v", first, second)
	}
	a := s.do("GET", "/politicians/ada-byron", "")
	p := decode[api.PoliticianDetail](t, a, 200)
	if len(p.SponsoredBills) != 2 || p.SponsoredBills[0].ID != "44-1/C-12" || len(p.Memberships) != 1 ||
		*p.Party.Fr != "Analytique" || *p.ImageURL != "https://openparliament.ca/media/x.jpg" {
		t.Errorf("%s", a.body)
	}
	if s.do("GET", "/politicians/ada-byron", "", "If-None-Match", a.Header.Get("ETag")).StatusCode != 304 {
		t.Error("unchanged, but not 304")
	}
	if list := decode[api.BillList](t, s.do("GET", "/bills?sponsor=ada-byron", ""), 200); len(list.Items) != 2 {
		t.Errorf("%+v", list)
	}
	for _, slug := range []string{"nobody-known", "no-such-person"} {
		if list := decode[api.BillList](t, s.do("GET", "/bills?sponsor="+slug, ""), 200); len(list.Items) != 0 {
			t.Errorf("%s: %+v", slug, list)
		}
	}
	decode[api.Problem](t, s.do("GET", "/politicians/no-such-person", ""), 404)
}

func TestSearch(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.saveBills(1, someBills...)
	search := func(q string, more ...string) api.SearchResult {
		return decode[api.SearchResult](t, s.do("GET", "/search?q="+url.QueryEscape(q)+strings.Join(more, ""), ""), 200)
	}
	for q, want := range map[string]string{
		"c11": "44-1/C-11 43-2/C-11", "C 12": "44-1/C-12", "s203": "44-1/S-203", "broadcasing": "44-1/C-11", "radiodiffusion": "44-1/C-11", "RIVIERES": "44-1/C-12", "autisme": "44-1/S-203",
		`"online streaming"`: "44-1/C-11", "privacy": "43-2/C-11", `"no such phrase"`: "", "zzzzzz": "",
	} {
		r := search(q)
		var got []string
		for _, hit := range r.Items[:min(len(r.Items), max(1, len(strings.Fields(want))))] {
			got = append(got, hit.Bill.ID)
		}
		if strings.Join(got, " ") != want || r.Semantic.Used ||
			*r.Semantic.Reason != "no embeddings endpoint is configured" {
			t.Errorf("%q finds %v, want %q (%+v)", q, got, want, r.Semantic)
		}
	}
	for q, want := range map[string]int{
		"C\u201111 44\u20131": 1, "bill c-11": 2, "Online Streaming Act": 1, "Loi modifiant la Loi sur la radiodiffusion": 1,
		"11": 2, "C-11/C-12": 3, "l’autisme": 1, "« spectrum disorder »": 1, "rivers −C‑12": 0,
	} {
		if r := search(q); r.Total != want || len(r.Items) != want || r.Exact == strings.ContainsAny(q, "’«−") {
			t.Errorf("%q: %d, exact %t, want %d", q, r.Total, r.Exact, want)
		}
	}
	for q, want := range map[string]int{"C\u201111": 2, "c11": 2, "C-11 44-1": 1, "l’autisme": 1, "%25": 0} {
		if list := decode[api.BillList](t, s.do("GET", "/bills?q="+url.QueryEscape(q), ""), 200); len(list.Items) != want {
			t.Errorf("%q: %d bills, want %d", q, len(list.Items), want)
		}
	}
	r := search("act respecting rivers lakes")
	if len(r.Items[0].Highlights) == 0 || r.Items[0].Highlights[0].HTML !=
		"An <mark>Act</mark> <mark>respecting</mark> <mark>rivers</mark> &amp; <mark>lakes</mark>" {
		t.Errorf("%+v", r.Items[0].Highlights)
	}
	if f := search("loi").Facets; len(f.Session) != 2 || f.Session[0].Value != "44-1" || f.Session[0].Count != 3 ||
		f.Year[0].Value != "2022" || len(f.Status) != 3 {
		t.Errorf("%+v", f)
	}
	for more, want := range map[string]int{
		"&session=43-2": 2, "&status=RoyalAssentGiven": 2, "&year=2020": 2, "&chamber=senate": 1,
		"&type=House+Government+Bill": 5, "&limit=2": 2, "&offset=4": 1, "&mode=lexical": 5, "&mode=semantic": 0,
	} {
		if got := len(search("loi", more).Items); got != want {
			t.Errorf("%s: %d, want %d", more, got, want)
		}
	}
	// Whatever is asked for, it is an answer or a clear refusal.
	for q, status := range map[string]int{
		"": 422, "   ": 422, strings.Repeat("a", 10_000): 422, "a\x00b": 400, "& | ! ( ) : * <-> \\ ' \"": 200, "-": 200, `"`: 200, "!!!": 200, "-act": 200, "':*": 200, strings.Repeat("act ", 240): 200, "%_\\": 200, "日本": 200, "\u202e": 200,
	} {
		if got := s.do("GET", "/search?q="+url.QueryEscape(q), ""); got.StatusCode != status {
			t.Errorf("%.30q: %d, want %d: %s", q, got.StatusCode, status, got.body)
		}
	}
}

// TestSearchByMeaning has an endpoint that embeds, fails, hangs, and changes its mind: bills are found all the same.
func TestSearchByMeaning(t *testing.T) {
	t.Parallel()
	var behaviour atomic.Value
	behaviour.Store("well")
	hang := make(chan struct{})
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct{ Input []string }
		_ = json.NewDecoder(r.Body).Decode(&q)
		behave := behaviour.Load()
		switch behave {
		case "fail":
			http.Error(w, "secret details", http.StatusInternalServerError)
			return
		case "hang":
			<-hang
			return
		case "gone":
			panic(http.ErrAbortHandler)
		}
		var data []map[string]any
		for i, text := range q.Input {
			v := []float64{.1, .1}
			if strings.Contains(text, "water") || strings.Contains(text, "rivers") {
				v = []float64{0, 1}
			}
			if behave == "grow" {
				v = append(v, 1)
			}
			data = append(data, map[string]any{"index": i, "embedding": v})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"data": data})
	}))
	t.Cleanup(endpoint.Close)
	t.Cleanup(func() { close(hang) })
	client, err := embed.New(embed.Config{URL: endpoint.URL, Model: "m", RetryDelay: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	var meaning *parliament.Embedder
	s := setup(t, func(c *server.Config) {
		meaning = parliament.NewEmbedder(c.DB, client)
		c.Embedder = meaning
	})
	s.saveBills(1, someBills...)
	search := func(q string) api.SearchResult {
		return decode[api.SearchResult](t, s.do("GET", "/search?q="+q, ""), 200)
	}
	if r := search("water"); r.Semantic.Used || !strings.Contains(*r.Semantic.Reason, "update_embeddings") {
		t.Errorf("%+v", r.Semantic)
	}
	counts, err := meaning.Update(t.Context(), 3, func(int) {})
	if err != nil || counts.Embedded != 10 || counts.Size != 2 || counts.Requests != 4 {
		t.Fatalf("%+v, %v", counts, err)
	}
	r := search("water")
	if !r.Semantic.Used || len(r.Items) == 0 || r.Items[0].Bill.ID != "44-1/C-12" ||
		!slices.Contains(r.Items[0].FoundBy, api.SearchHitFoundBy("meaning")) {
		t.Errorf("%+v", r)
	}
	for _, mode := range []string{"hybrid", "semantic"} { // what is left out is not near either
		r := decode[api.SearchResult](t, s.do("GET", "/search?mode="+mode+"&q="+url.QueryEscape("water −C‑12 -autism"), ""),
			200)
		for _, hit := range r.Items {
			if !r.Semantic.Used || hit.Bill.ID == "44-1/C-12" || hit.Bill.ID == "44-1/S-203" {
				t.Errorf("%s: %s by %v", mode, hit.Bill.ID, hit.FoundBy)
			}
		}
		if len(r.Items) != 3 {
			t.Errorf("%s: %d found", mode, len(r.Items))
		}
	}
	if r := search("44-1/C-12"); r.Total != 1 || !r.Exact || r.Semantic.Used || r.Semantic.Reason == nil {
		t.Errorf("a number: %+v", r)
	}
	if r := decode[api.SearchResult](t, s.do("GET", "/search?q=water&session=43-2", ""), 200); len(r.Items) != 2 {
		t.Errorf("filtered: %+v", r.Items)
	}
	for how, reason := range map[string]string{
		"fail": "answered 500",
		"hang": "does not answer within",
		"gone": "the embeddings endpoint does not answer",
		"grow": "gives 3 numbers, the bills' embeddings have 2",
	} {
		behaviour.Store(how)
		r := search("rivers+" + how) // not asked for before
		if r.Semantic.Used || !strings.Contains(*r.Semantic.Reason, reason) ||
			strings.Contains(*r.Semantic.Reason, "secret") || strings.Contains(
			*r.Semantic.Reason, "127.0.0.1",
		) || len(r.Items) == 0 || r.Items[0].Bill.ID != "44-1/C-12" {
			t.Errorf("%s: %+v, %d found", how, r.Semantic, len(r.Items))
		}
	}
	// What the endpoint spoils costs nothing that was there before.
	behaviour.Store("grow")
	s.saveBills(2, bill{"44-1", "C-13", "An Act respecting oceans", "Loi concernant les océans", "", "2022-03-01",
		"Outside the Order of Precedence", 7, "", ""})
	if _, err := meaning.Update(t.Context(), 64, func(int) {}); err == nil ||
		!strings.Contains(err.Error(), "embeddings of 3 numbers, those stored of model m have 2") {
		t.Errorf("%v", err)
	}
	var n int
	if err := s.db.Pool.QueryRow(t.Context(), "SELECT count(*) FROM embeddings").Scan(&n); err != nil || n != 10 {
		t.Errorf("%d embeddings, %v", n, err)
	}
	// A narrowed search is of all bills that it is narrowed to, not of those among the nearest of all.
	behaviour.Store("well")
	var many []bill
	for i := range 220 {
		many = append(many, bill{"44-1", fmt.Sprintf("C-%d", 300+i), fmt.Sprintf("An Act respecting rivers, no. %d", i),
			"Loi", "", "2022-03-01", "Outside the Order of Precedence", 7, "", ""})
	}
	s.saveBills(3, many...)
	if _, err := meaning.Update(t.Context(), 500, func(int) {}); err != nil {
		t.Fatal(err)
	}
	if r := decode[api.SearchResult](t, s.do("GET", "/search?q=water&mode=semantic&session=43-2", ""),
		200); len(r.Items) != 2 {
		t.Errorf("narrowed: %d of 2", len(r.Items))
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.saveBills(1, someBills[:3]...)
	changes := func(query string, want int) (list api.BillChangeList) {
		t.Helper()
		s.settled()
		list = decode[api.BillChangeList](t, s.do("GET", "/bills/changes"+query, ""), 200)
		if len(list.Items) != want {
			t.Errorf("%s: %+v, want %d", query, list, want)
		}
		return list
	}
	changes("", 3)
	first := changes("?limit=2", 2)
	if !first.More {
		t.Errorf("%+v", first)
	}
	second := changes("?limit=2&cursor="+first.NextCursor, 1)
	if second.More {
		t.Errorf("%+v", second)
	}
	none := changes("?cursor="+second.NextCursor, 0)
	moved := someBills[0]
	moved.titleEn = "Another"
	s.saveBills(2, moved, someBills[4])
	changes("?cursor="+none.NextCursor, 2)
	changes("", 5)
	if future := decode[api.BillChangeList](t, s.do("GET", "/bills/changes?since=2999-01-01T00:00:00Z", ""),
		200); len(future.Items) != 0 || future.NextCursor == "" {
		t.Errorf("%+v", future)
	}
	decode[api.Problem](t, s.do("GET", "/bills/changes?since=2020-01-01T00:00:00Z&cursor="+first.NextCursor, ""), 422)
	decode[api.Problem](t, s.do("GET", "/bills/changes?since=yesterday", ""), 422)
}

func TestExports(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.saveBills(1, someBills...)
	exports := decode[api.ExportList](t, s.do("GET", "/exports", ""), 200)
	if len(exports.Items) != 1 || exports.Items[0].Rows != 5 || len(exports.Items[0].Fields) < 30 ||
		len(exports.Items[0].Terms) != 2 {
		t.Errorf("%+v", exports)
	}
	a := s.do("GET", "/exports/bills.csv", "")
	rows, err := csv.NewReader(bytes.NewReader(a.body)).ReadAll()
	if err != nil || len(rows) != 6 || rows[0][0] != "id" ||
		a.Header.Get("Content-Disposition") != `attachment; filename="bills.csv"` {
		t.Fatalf("%v, %v", rows, err)
	}
	for i, f := range exports.Items[0].Fields {
		if rows[0][i] != f.Name || f.Description == "" {
			t.Errorf("column %d is %s, described as %+v", i, rows[0][i], f)
		}
	}
	if !strings.Contains(string(a.body), `'=cmd|'/c calc'!A0`) {
		t.Error("a formula is not marked as text")
	}
	a = s.do("GET", "/exports/bills.parquet", "")
	table, err := parquet.Read[struct {
		ID         string  `parquet:"id"`
		TitleFr    *string `parquet:"title_fr"`
		Law        bool    `parquet:"law"`
		Committees *string `parquet:"committees"`
	}](bytes.NewReader(a.body), int64(len(a.body)))
	if err != nil || len(table) != 5 || table[2].ID != "44-1/C-11" || !table[2].Law || *table[2].Committees != "CHPC" ||
		*table[2].TitleFr != someBills[0].titleFr {
		t.Errorf("%+v, %v", table, err)
	}
	a = s.do("GET", "/exports/bills.ndjson?law=true&session=44-1", "")
	lines := strings.Split(strings.TrimSpace(string(a.body)), "\n")
	var b api.Bill
	if len(lines) != 2 || json.Unmarshal([]byte(lines[0]), &b) != nil || b.ID != "44-1/C-11" {
		t.Errorf("%s", a.body)
	}
	for _, path := range []string{
		"/exports/bills.xls", "/exports/people.csv", "/exports/bills", "/exports/bills.csv?session=x",
		"/exports/bills.csv?color=red",
	} {
		decode[api.Problem](t, s.do("GET", path, ""), 422)
	}
	if empty := s.do("GET", "/exports/bills.csv?session=1-1", ""); empty.StatusCode != 200 ||
		bytes.Count(empty.body, []byte("\n")) != 1 {
		t.Errorf("%s", empty.body)
	}
}
