package server_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/mmcdole/gofeed"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
)

// TestFeedNames asks for feeds in any spelling: each has one address and one id, whoever asked for it first.
func TestFeedNames(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.savePolitician("ada-byron", 7)
	s.saveBills(1, someBills...)
	s.saveBills(2, bill{"41-1", "C-23A", "An Act respecting letters", "Loi", "", "2012-03-01",
		"Outside the Order of Precedence", 7, "", ""})
	s.updateFeeds()
	for typed, name := range map[string]string{
		"BILLS.rss": "bills", "Bills.RSS": "bills", "bills.Atom": "bills", "bills.JSON": "bills", "SESSION-44-1.rss": "session-44-1",
		"status-royalassentgiven.rss": "status-RoyalAssentGiven", "STATUS-ROYALASSENTGIVEN.rss": "status-RoyalAssentGiven", "Status-houseAt2ndREADING.atom": "status-HouseAt2ndReading",
		"sponsor-ADA-byron.rss": "sponsor-ada-byron", "Sponsor-Ada-Byron.json": "sponsor-ada-byron", "committee-fopo.rss": "committee-FOPO", "committee-Fopo.ATOM": "committee-FOPO", "COMMITTEE-FOPO.rss": "committee-FOPO",
		"bill-44-1-c-12.rss": "bill-44-1-C-12", "BILL-44-1-C-12.json": "bill-44-1-C-12", "bill-44-1-s-203.atom": "bill-44-1-S-203", "bill-41-1-c-23a.rss": "bill-41-1-C-23A",
		"search.rss?q=rivers": "search", "SEARCH.Atom?q=rivers": "search", "committee%2Dfopo%2Erss": "committee-FOPO", "%62ills.rss": "bills",
	} {
		a := s.do("GET", "/feeds/"+typed, "")
		path, query, _ := strings.Cut(typed, "?")
		path, err := url.PathUnescape(path)
		if err != nil {
			t.Fatal(err)
		}
		form := strings.ToLower(path[strings.LastIndex(path, ".")+1:])
		self := s.url + "/feeds/" + name + "." + form
		if query != "" {
			self += "?" + query
		}
		f, err := gofeed.NewParser().Parse(bytes.NewReader(a.body))
		if a.StatusCode != http.StatusOK || err != nil {
			t.Errorf("%s: %d, %v %s", typed, a.StatusCode, err, a.body)
			continue
		}
		if f.FeedLink != self || len(f.Items) == 0 {
			t.Errorf("%s: itself is %q, want %q; %d items", typed, f.FeedLink, self, len(f.Items))
		}
		exact := s.do("GET", strings.TrimPrefix(self, s.url), "")
		if !bytes.Equal(exact.body, a.body) || exact.Header.Get("ETag") != a.Header.Get("ETag") {
			t.Errorf("%s is another feed than %s", typed, self)
		}
		if form == "atom" && !strings.Contains(string(a.body), "<id>tag:parliament-explorer,2026:feed/"+name+"/en") {
			t.Errorf("%s: %.300s", typed, a.body)
		}
	}
	for _, typed := range []string{
		"bills%20.rss", "%20bills.rss", "bills.rss%20", "bills.rss%0A", "committee\u2011fopo.rss", "session-44\u20131.rss",
		"bill-44-1-C\u221212.rss", "bill-44-1-C\u00AD12.rss", "bil\u212As.rss", "committee-f\u00f6po.rss",
		"bills-.rss", "bills-x.rss", "search-.rss", "committee-.rss", "committee.rss", "session-.rss", "session-044-1.rss",
		"sponsor-.rss", "status-.rss", "bill-44-1.rss", "committee-FO,PO.rss", strings.Repeat("a", 190) + ".rss",
	} {
		path, query, _ := strings.Cut(typed, "?")
		path = (&url.URL{Path: "/feeds/" + path, RawPath: "/feeds/" + path}).EscapedPath()
		if strings.Contains(typed, "%") {
			path = "/feeds/" + typed
		}
		if query != "" {
			path += "?" + query
		}
		if p := decode[api.Problem](t, s.do("GET", path, ""), http.StatusNotFound); !strings.Contains(p.Detail, "feed ") &&
			!strings.Contains(p.Detail, "feed \"") {
			t.Errorf("%q: %q", typed, p.Detail)
		}
	}
}

// TestCommitteesByOneAcronym has a committee of each chamber by the same acronym: their feed has the bills of both.
func TestCommitteesByOneAcronym(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for i, c := range []legisinfo.Committee{
		{Acronym: "TRAN", Chamber: "house", NameEn: "Transport", NameFr: "Transports"},
		{Acronym: "tran", Chamber: "senate", NameEn: "Transitions", NameFr: "Transitions"},
	} {
		id, err := parliament.ParseBillID("44-1", fmt.Sprintf("C-%d", 30+i))
		if err != nil {
			t.Fatal(err)
		}
		item := &legisinfo.Item{
			ID: i + 1, Session: "44-1", Number: id.Number(), LongTitleEn: "An Act", HouseFirst: "2022-03-01", Hash: "x",
		}
		detail := &legisinfo.Detail{
			ItemHash: "x", ID: item.ID, Reader: legisinfo.Reader, Committees: []legisinfo.Committee{c},
		}
		if _, err := s.store.Save(t.Context(), uuid.UUID{1},
			[]parliament.Record{{ID: id, FetchedAt: time.Now(),
				SourceRecords: parliament.SourceRecords{Item: item, Detail: detail}}}); err != nil {
			t.Fatal(err)
		}
	}
	s.updateFeeds()
	for lang, title := range map[string]string{
		"en": "Bills before Transport; Transitions",
		"fr": "Projets de loi : Transports ; Transitions",
	} {
		f := decode[map[string]any](t, s.do("GET", "/feeds/committee-tran.json?lang="+lang, ""), http.StatusOK)
		if items, _ := f["items"].([]any); f["title"] != title || len(items) != 2 {
			t.Errorf("%v, %d items", f["title"], len(items))
		}
	}
	// A bill that leaves a committee again does not take the committee's name and feed with it.
	s.exec(`UPDATE bills SET doc = jsonb_set(doc, '{committees}', '[]')`)
	s.exec(`UPDATE feed_state SET generation = generation + 1`)
	if f := decode[map[string]any](t, s.do("GET", "/feeds/committee-TRAN.json", ""),
		http.StatusOK); f["title"] != "Bills before TRAN" {
		t.Errorf("%v", f["title"])
	}
}
