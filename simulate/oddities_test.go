package simulate_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/simulate"
)

var odd = simulate.Options{Codes: []string{"36-1", "43-1", "43-2", "44-1", "45-1"}, Bills: 150}

// detail is what of a record is looked at here.
type detail struct {
	ID                              int `json:"Id"`
	NumberCode, LongTitleEn         string
	LongTitleFr, StatusNameEn       string
	ShortTitleEn, ShortTitleFr      string
	LatestBillEventDateTime         string
	PassedHouseFirstReadingDateTime *string
	DidReinstateFromPreviousSession bool
	ReinstatedFromBillDocumentID    *int    `json:"ReinstatedFromBillDocumentId"`
	ReinstatedFromBillNumberCode    *string `json:"ReinstatedFromBillNumberCode"`
	DidReinstateInNextSession       bool
	ReinstatedAsBillDocumentID      *int `json:"ReinstatedAsBillDocumentId"`
	IsSessionOngoing                bool
	IsDroppedFromSenateOrderPaper   bool
	HouseVoteDetails                []struct {
		DivisionNumber, DivisionVotesYeas, DivisionVotesNays int
		DecisionResultName, DecisionDateTime                 string
	}
	BillStages *struct {
		HouseBillStages []struct {
			BillStageNameEn string
			Decisions       []struct {
				DivisionNumber, DivisionVotesYeas       *int
				DecisionResultName, DecisionSittingDate string
			}
		}
		HouseAdditionalInformation, SenateAdditionalInformation map[string]any
		InterChamberMessages                                    []any
	}
}

func details(t testing.TB, w *simulate.World, session string) []detail {
	t.Helper()
	var all []detail
	for _, raw := range w.Records(session) {
		var d detail
		if err := json.Unmarshal(raw, &d); err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

// TestOddities finds each oddity of the real records.
func TestOddities(t *testing.T) {
	t.Parallel()
	w, err := simulate.NewWorld(odd)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	byID := map[int]detail{}
	for _, session := range w.Sessions() {
		divisions := map[int]bool{}
		for _, d := range details(t, w, session) {
			byID[d.ID] = d
			note := func(what string, is bool) {
				if is {
					count[what]++
				}
			}
			note("number with a suffix", regexp.MustCompile(`^C-\d+A$`).MatchString(d.NumberCode))
			note(
				"no date at all",
				d.PassedHouseFirstReadingDateTime == nil && d.LatestBillEventDateTime == "0001-01-01T00:00:00" && session != "36-1",
			)
			note("taken up from another session", d.DidReinstateFromPreviousSession)
			note("taken up in the next session", d.DidReinstateInNextSession)
			note("session that goes on", d.IsSessionOngoing)
			note("no stages", d.BillStages == nil)
			note("not proceeded with", d.BillStages != nil && d.BillStages.HouseAdditionalInformation != nil)
			note(
				"dropped from the order paper", d.IsDroppedFromSenateOrderPaper && d.BillStages.SenateAdditionalInformation != nil,
			)
			note("messages", d.BillStages != nil && len(d.BillStages.InterChamberMessages) > 0)
			note(
				"status that openparliament.ca does not know", strings.HasPrefix(d.StatusNameEn, "Referred to committee before"),
			)
			all := d.LongTitleEn + d.LongTitleFr + d.ShortTitleEn + d.ShortTitleFr
			for _, sign := range []string{"‑", "–", "’", "“", "« ", "<sup>", "<Sup>", "&nbsp;", "&amp;", "œ", "  "} {
				note(sign, strings.Contains(all, sign))
			}
			if (d.BillStages == nil) != (session == "36-1") {
				t.Errorf("%s/%s: stages %v", session, d.NumberCode, d.BillStages)
			}
			listed := map[int]int{}
			for _, v := range d.HouseVoteDetails {
				if divisions[v.DivisionNumber] {
					t.Errorf("%s: division %d twice", session, v.DivisionNumber)
				}
				divisions[v.DivisionNumber] = true
				listed[v.DivisionNumber] = v.DivisionVotesYeas
				note(v.DecisionResultName, true)
				if (v.DecisionResultName == "Tie") != (v.DivisionVotesYeas == v.DivisionVotesNays) ||
					(v.DecisionResultName == "Negatived") != (v.DivisionVotesYeas < v.DivisionVotesNays) {
					t.Errorf("%s: %+v", session, v)
				}
			}
			note("several divisions", len(listed) > 3)
			decided := 0
			if d.BillStages != nil {
				for _, s := range d.BillStages.HouseBillStages {
					note("stage of a bill that was taken up", s.BillStageNameEn == "Bill reinstated from previous session")
					for _, x := range s.Decisions {
						note("decision without a count", x.DivisionNumber == nil)
						if x.DivisionNumber == nil {
							continue
						}
						decided++
						if yeas, ok := listed[*x.DivisionNumber]; !ok || yeas != *x.DivisionVotesYeas {
							t.Errorf("%s/%s: division %d of a stage is not that of the list", session, d.NumberCode, *x.DivisionNumber)
						}
					}
				}
			}
			note("division that is no stage's", len(listed) > decided)
			note("division of a stage", decided > 0)
		}
	}
	for _, what := range []string{
		"number with a suffix", "no date at all", "taken up from another session", "taken up in the next session",
		"session that goes on", "no stages", "not proceeded with", "dropped from the order paper", "messages",
		"status that openparliament.ca does not know", "‑", "–", "’", "“", "« ", "<sup>", "<Sup>", "&nbsp;", "&amp;", "œ",
		"  ", "Agreed To", "Negatived", "Tie", "several divisions", "decision without a count",
		"stage of a bill that was taken up", "division that is no stage's", "division of a stage",
	} {
		if count[what] == 0 {
			t.Errorf("none with %q", what)
		}
	}
	for _, d := range byID {
		if d.ReinstatedFromBillDocumentID == nil {
			continue
		}
		from := byID[*d.ReinstatedFromBillDocumentID]
		if from.ReinstatedAsBillDocumentID == nil || *from.ReinstatedAsBillDocumentID != d.ID ||
			from.NumberCode != *d.ReinstatedFromBillNumberCode || from.LongTitleEn != d.LongTitleEn {
			t.Errorf("%s comes from %+v", d.NumberCode, from)
		}
	}
	t.Log(count)
}

// TestClockTakesBack checks that nothing of the future is known on a day in the past.
func TestClockTakesBack(t *testing.T) {
	t.Parallel()
	w, err := simulate.NewWorld(odd)
	if err != nil {
		t.Fatal(err)
	}
	date := regexp.MustCompile(`"(\d{4}-\d{2}-\d{2})T\d{2}:\d{2}:\d{2}[^"]*"`)
	for _, day := range []string{"2021-03-01", "2023-07-15", "2025-02-01"} {
		s := serveWorld(t, w)
		post(t, s.URL+"/control/clock?as_of="+day)
		for _, session := range w.Sessions() {
			for _, raw := range w.Records(session) {
				for _, m := range date.FindAllStringSubmatch(string(raw), -1) {
					if m[1] > day {
						t.Errorf("on %s a record of %s tells of %s", day, session, m[1])
						break
					}
				}
			}
		}
	}
}

// TestOpenParliament answers as api.openparliament.ca does.
func TestOpenParliament(t *testing.T) {
	t.Parallel()
	w, err := simulate.NewWorld(odd)
	if err != nil {
		t.Fatal(err)
	}
	s := serveWorld(t, w)
	type object struct {
		Number                             any
		Session, URL, Date, Result, Ballot string
		Introduced                         *string
	}
	type list struct {
		Objects    []object
		Pagination struct {
			Offset, Limit int
			NextURL       *string `json:"next_url"`
			PreviousURL   *string `json:"previous_url"`
		}
	}
	ask := func(path string) (l list) {
		t.Helper()
		status, body := get(t, s.URL+path)
		if status != 200 {
			t.Fatalf("%s: %d %s", path, status, body)
		}
		if err := json.Unmarshal([]byte(body), &l); err != nil {
			t.Fatal(err)
		}
		return l
	}
	plain, ordered := ask("/bills/?limit=3"), ask("/bills/?limit=3&order_by=-introduced&nonsense=1")
	if fmt.Sprint(plain.Objects) == "" || plain.Objects[0].URL != ordered.Objects[0].URL ||
		plain.Objects[0].Number != "C-1" {
		t.Errorf("%v, ordered %v", plain.Objects, ordered.Objects)
	}
	if l := ask("/bills/"); len(l.Objects) != 20 || l.Pagination.Limit != 20 || l.Pagination.PreviousURL != nil ||
		!strings.HasPrefix(*l.Pagination.NextURL, "/bills/?") {
		t.Errorf("%+v", l.Pagination)
	}
	if l := ask("/bills/?limit=9999"); l.Pagination.Limit != 500 {
		t.Errorf("%+v", l.Pagination)
	}
	// Of pages over all sessions some bills are lost or come twice, of pages of one session none.
	pages := func(path string) (n, distinct int) {
		seen := map[string]bool{}
		for path != "" {
			l := ask(path)
			for _, b := range l.Objects {
				n++
				seen[b.URL] = true
			}
			if path = ""; l.Pagination.NextURL != nil {
				path = *l.Pagination.NextURL
			}
		}
		return n, len(seen)
	}
	total, ofThem := 0, map[string]int{}
	for _, session := range w.Sessions() {
		ofThem[session] = len(w.Records(session))
		total += ofThem[session]
	}
	if n, distinct := pages("/bills/?limit=7"); n == distinct || n != total-ofThem["36-1"] {
		t.Errorf("%d bills on pages over all sessions, %d distinct", n, distinct)
	}
	if n, distinct := pages("/bills/?session=43-2&limit=7"); n != ofThem["43-2"] || distinct != n {
		t.Errorf("%d bills on pages of one session, %d distinct", n, distinct)
	}
	for query, holds := range map[string]func(introduced string) bool{
		"introduced__gte=2026-01-01": func(d string) bool { return d >= "2026-01-01" }, "introduced__lt=2026-01-01": func(d string) bool { return d != "" && d < "2026-01-01" },
		"introduced__range=2025-12-01,2026-02-28": func(d string) bool { return d >= "2025-12-01" && d <= "2026-02-28" }, "introduced__isnull=true": func(d string) bool { return d == "" },
	} {
		l := ask("/bills/?limit=500&" + query)
		for _, b := range l.Objects {
			d := ""
			if b.Introduced != nil {
				d = *b.Introduced
			}
			if !holds(d) {
				t.Errorf("%s: %s of %q", query, b.URL, d)
			}
		}
		if len(l.Objects) == 0 {
			t.Errorf("%s: nothing", query)
		}
	}
	for query, want := range map[string]int{
		"session=36-1": 0, "session=99-9": 0, "law=false": 0, "number=C-6A": 4, "number=C-6A&session=44-1": 1,
		"status_code=ProForma": 4,
	} {
		if l := ask("/bills/?limit=500&" + query); len(l.Objects) != want {
			t.Errorf("%s: %d, want %d", query, len(l.Objects), want)
		}
	}
	votes := ask("/votes/?session=44-1&limit=500")
	wanted := 0
	for _, d := range details(t, w, "44-1") {
		wanted += len(d.HouseVoteDetails)
	}
	if len(votes.Objects) != wanted ||
		!slices.IsSortedFunc(votes.Objects, func(a, b object) int { return strings.Compare(b.Date, a.Date) }) {
		t.Errorf("%d divisions, want %d", len(votes.Objects), wanted)
	}
	if l := ask("/votes/ballots/?vote=" + votes.Objects[0].URL + "&limit=500"); len(l.Objects) != 60 ||
		l.Objects[0].Ballot == "" {
		t.Errorf("%d ballots", len(l.Objects))
	}
	for path, want := range map[string]int{
		"/bills/44-1/C-6A/": 200, "/bills/44-1/C-6A": 404, "/bills": 404, "/votes": 404, "/politicians": 404, "/bills/36-1/C-2/": 404, "/bills/44-1/C-9999/": 404, "/bills/?introduced__gte=June": 400, "/bills/?introduced__like=2026": 400,
		"/bills/?limit=x": 400, "/bills/?offset=-1": 400, "/bills/?legisinfo_id=x": 400, "/bills/?number__gt=3": 400, "/bills/?format=xml": 406, votes.Objects[0].URL: 200, "/votes/44-1/99999/": 404, "/": 200, "/politicians/?include=all": 200,
		"/legisinfo/en/bill/44-1/c-6a/json": 200, "/LegisInfo/EN/bill/44-1/C-6A/json": 200, "/legisinfo/en/bill/44-1/c-9999/json": 404, "/legisinfo/en/bill/44-1/c-6a": 200,
	} {
		if status, body := get(t, s.URL+path); status != want {
			t.Errorf("%s: %d, want %d: %.80s", path, status, want, body)
		}
	}
	for query, want := range map[string]int{
		"": ofThem["45-1"], "?parlsession=all": total, "?parlsession=36-1": ofThem["36-1"], "?parlsession=99-9": 0,
	} {
		var items []map[string]any
		_, body := get(t, s.URL+"/legisinfo/en/bills/json"+query)
		if err := json.Unmarshal([]byte(body), &items); err != nil || len(items) != want {
			t.Errorf("%s: %d items, want %d, %v", query, len(items), want, err)
		}
		for _, item := range items {
			if item["BillNumberFormatted"] == "C-6A" && item["BillNumberSuffix"] != "A" {
				t.Errorf("suffix %v", item["BillNumberSuffix"])
			}
		}
	}
	d := details(t, w, "44-1")[0]
	resp, err := (&http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}).Get(fmt.Sprintf("%s/legisinfo/en/bill/%d/json", s.URL, d.ID))
	if err != nil || resp.StatusCode != http.StatusFound ||
		!strings.HasSuffix(resp.Header.Get("Location"), "/44-1/"+strings.ToLower(d.NumberCode)+"/json") {
		t.Errorf("by id: %v, %v", resp, err)
	}
	resp.Body.Close()
}
