package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mmcdole/gofeed"

	"github.com/parliament-explorer/parliament-explorer/api"
)

func (s *site) exec(sql string, args ...any) {
	s.t.Helper()
	if _, err := s.db.Pool.Exec(s.t.Context(), sql, args...); err != nil {
		s.t.Fatal(err)
	}
}

// reader keeps what it was last given of a feed, as feed readers do.
type reader struct {
	s      *site
	path   string
	seen   answer
	header string // by which it asks whether something changed
	told   int    // the status of the last answer
}

func (s *site) reader(path, header string) *reader {
	s.t.Helper()
	r := &reader{s: s, path: path, header: header}
	if r.seen = s.do("GET", path, ""); r.seen.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %d %s", path, r.seen.StatusCode, r.seen.body)
	}
	return r
}

// readers ask by either header.
func (s *site) readers(path string) []*reader {
	return []*reader{s.reader(path, "If-None-Match"), s.reader(path, "If-Modified-Since")}
}

// poll asks whether the feed changed, and says so.
func (r *reader) poll() bool {
	r.s.t.Helper()
	value := r.seen.Header.Get(map[string]string{"If-None-Match": "ETag", "If-Modified-Since": "Last-Modified"}[r.header])
	a := r.s.do("GET", r.path, "", r.header, value)
	switch r.told = a.StatusCode; a.StatusCode {
	case http.StatusNotModified:
		return false
	case http.StatusOK:
		changed := !bytes.Equal(a.body, r.seen.body)
		r.seen = a
		return changed
	default:
		r.s.t.Fatalf("%s: %d %s", r.path, a.StatusCode, a.body)
		return false
	}
}

// TestFeedsAfterACut has updates of feeds stop in the middle. A reader is never told that nothing changed although
// something did, then or after the next update.
func TestFeedsAfterACut(t *testing.T) {
	t.Parallel()
	fail := func(when string) string {
		return `CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql
			AS 'BEGIN RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME; END';
			CREATE TRIGGER cut ` + when + ` FOR EACH ROW EXECUTE FUNCTION cut()`
	}
	for name, c := range map[string]struct {
		cut  string // what fails in the database
		stop bool   // the update is told to stop after the first items
		came bool   // the items came all the same
	}{
		"before the items":                {cut: fail(`BEFORE INSERT ON feed_items`)},
		"between items and generation":    {cut: fail(`BEFORE UPDATE OF generation ON feed_state`)},
		"at the end":                      {cut: `CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME; END'; CREATE TRIGGER cut BEFORE UPDATE OF max_items ON feed_state FOR EACH ROW EXECUTE FUNCTION cut()`, came: true},
		"canceled after the first items":  {stop: true, came: true},
		"nothing, which is no cut at all": {came: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			s.saveBills(1, someBills...)
			s.updateFeeds()
			readers := append(s.readers("/feeds/bills.rss"), s.readers("/feeds/bill-44-1-C-12.json")...)
			moved := someBills[1]
			moved.status = "Royal assent received"
			s.saveBills(2, moved)
			if c.cut != "" {
				s.exec(c.cut)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			_, err := s.store.UpdateFeeds(ctx, 100, func(int) {
				if c.stop {
					cancel()
				}
			})
			if (err == nil) != (c.cut == "" && !c.stop) {
				t.Fatalf("%v", err)
			}
			if c.cut != "" {
				s.exec(`DROP FUNCTION cut CASCADE`)
			}
			for _, r := range readers {
				if got := r.poll(); got != c.came {
					t.Errorf("%s by %s: changed: %v", r.path, r.header, got)
				}
			}
			s.updateFeeds()
			for _, r := range readers {
				if got := r.poll(); got == c.came {
					t.Errorf("%s by %s: changed after the next update: %v", r.path, r.header, got)
				}
				if !bytes.Contains(r.seen.body, []byte("Royal assent received")) {
					t.Errorf("%s lacks the change", r.path)
				}
			}
		})
	}
}

// TestReadersSeeEveryChange changes whatever a feed is made of, several times within a second.
func TestReadersSeeEveryChange(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.savePolitician("ada-byron", 7)
	s.saveBills(1, someBills...)
	s.updateFeeds()
	var all []*reader
	for _, name := range []string{
		"bills", "session-44-1", "session-43-2", "status-RoyalAssentGiven", "sponsor-ada-byron", "committee-FOPO",
		"bill-44-1-C-12", "search",
	} {
		path := "/feeds/" + name + ".atom"
		if name == "search" {
			path += "?q=rivers"
		}
		all = append(all, s.readers(path)...)
	}
	moved := someBills[1]
	for i, step := range []struct {
		what   string
		change func()
		feeds  string // that change, by a part of their paths
	}{
		{"nothing", func() { s.updateFeeds() }, ""},
		{"a bill", func() { moved.status = "Royal assent received"; s.saveBills(2, moved); s.updateFeeds() }, "/bills. session-44-1 RoyalAssentGiven sponsor-ada-byron committee-FOPO bill-44-1-C-12 search"},
		{"the same bill, within a second", func() { moved.titleFr = "Loi concernant les rivières"; s.saveBills(3, moved); s.updateFeeds() }, "/bills. session-44-1 sponsor-ada-byron committee-FOPO bill-44-1-C-12 search"},
		{"a change that was stored before the last one, and seen after it", func() {
			moved.titleFr = "Loi sur les rivières"
			s.saveBills(4, moved)
			s.exec(`UPDATE bill_versions SET created_at = created_at - interval '1 hour'
				WHERE bill_id = '44-1/C-12' AND version = (SELECT max(version) FROM bill_versions WHERE bill_id = '44-1/C-12')`)
			s.updateFeeds()
		}, "/bills. session-44-1 sponsor-ada-byron committee-FOPO bill-44-1-C-12 search"},
		{"a sponsor's name", func() { s.exec(`UPDATE politicians SET doc = jsonb_set(doc, '{name}', '"Ada Lovelace"')`) }, "sponsor-ada-byron"},
		{"something of a sponsor that no feed has", func() { s.exec(`UPDATE politicians SET party = 'Other'`) }, ""},
		{"how many items there are", func() {
			if _, err := s.store.UpdateFeeds(t.Context(), 1, func(int) {}); err != nil {
				t.Fatal(err)
			}
		}, "/bills. session-44-1 session-43-2 RoyalAssentGiven sponsor-ada-byron committee-FOPO bill-44-1-C-12 search"},
		{"a bill is taken out", func() { s.exec(`DELETE FROM bills WHERE id = '43-2/C-11'`) }, "session-43-2"},
	} {
		step.change()
		for _, r := range all {
			want := false
			for _, part := range strings.Fields(step.feeds) {
				want = want || strings.Contains(r.path, part)
			}
			if got := r.poll(); got != want {
				t.Errorf("%d, %s: %s by %s changed: %v, want %v", i, step.what, r.path, r.header, got, want)
			}
		}
		for _, r := range all {
			if r.poll() || r.told != http.StatusNotModified {
				t.Errorf("%d, %s: %s by %s is not as it was a moment ago", i, step.what, r.path, r.header)
			}
		}
	}
}

// TestUpdateThatIsCutOff has an old session's bills come to feeds in two halves, the update having been cut off between
// them: all stand where they happened, as they would have otherwise.
func TestUpdateThatIsCutOff(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var many []bill
	for i := range 620 {
		day := time.Date(2022, 2, 1+i/10, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
		many = append(many, bill{"44-1", fmt.Sprintf("C-%d", 200+i), fmt.Sprintf("An Act, no. %d", i), "Loi", "", day,
			"Outside the Order of Precedence", 7, "", ""})
	}
	s.saveBills(1, many...)
	s.exec(`CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql
		AS 'BEGIN RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME; END'; CREATE TRIGGER cut BEFORE INSERT ON feed_items
		FOR EACH ROW WHEN (NEW.bill_id = '44-1/C-819') EXECUTE FUNCTION cut()`)
	if _, err := s.store.UpdateFeeds(t.Context(), 100, func(int) {}); err == nil {
		t.Fatal("it was not cut off")
	}
	s.exec(`DROP FUNCTION cut CASCADE`)
	var first, news int
	scan := func(into *int, sql string) {
		t.Helper()
		if err := s.db.Pool.QueryRow(t.Context(), sql).Scan(into); err != nil {
			t.Fatal(err)
		}
	}
	if scan(&first, `SELECT count(*) FROM feed_items`); first == 0 || first == len(many) {
		t.Fatalf("%d items at first", first)
	}
	if counts := s.updateFeeds(); counts.Items != len(many)-first {
		t.Errorf("%+v after %d", counts, first)
	}
	if scan(&news, `SELECT count(*) FROM feed_items WHERE sort_at <> published_at`); news != 0 {
		t.Errorf("%d old bills are news", news)
	}
	// The next update knows what there is: what comes now is news.
	s.saveBills(
		2, bill{"44-1", "C-900", "An Act", "Loi", "", "2024-03-01", "Outside the Order of Precedence", 7, "", ""},
	)
	s.updateFeeds()
	if scan(&news, `SELECT count(*) FROM feed_items WHERE sort_at <> published_at`); news != 1 {
		t.Errorf("%d items are news", news)
	}
}

// TestMeaningSeesWhatWasEmbedded has embeddings written in another order than their times: a search looks at the
// newest.
func TestMeaningSeesWhatWasEmbedded(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.saveBills(1, someBills...)
	var before, after int64
	read := func(into *int64) {
		t.Helper()
		if err := s.db.Pool.QueryRow(t.Context(), `SELECT generation FROM embedding_state`).Scan(into); err != nil {
			t.Fatal(err)
		}
	}
	s.exec(`INSERT INTO embeddings (bill_id, language, model, hash, embedding, created_at)
		SELECT id, 'en', 'm', 'x', '{1}', now() FROM bills`)
	for what, sql := range map[string]string{
		"an older time":   `UPDATE embeddings SET embedding = '{0.5}', created_at = now() - interval '1 day' WHERE bill_id = '44-1/C-11'`,
		"the same time":   `UPDATE embeddings SET embedding = '{0.7}' WHERE bill_id = '44-1/C-11'`,
		"one in, one out": `WITH gone AS (DELETE FROM embeddings WHERE bill_id = '44-1/C-11' RETURNING *) INSERT INTO embeddings SELECT bill_id, 'fr', model, hash, embedding, created_at, version FROM gone`,
		"a bill is gone":  `DELETE FROM bills WHERE id = '43-2/C-11'`,
	} {
		read(&before)
		s.exec(sql)
		if read(&after); after == before {
			t.Errorf("%s: nobody would notice", what)
		}
	}
	read(&before)
	s.exec(`UPDATE embeddings SET created_at = now()`)
	if read(&after); after != before {
		t.Error("nothing changed, and all would be read again")
	}
}

func TestFeeds(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.savePolitician("ada-byron", 7)
	s.saveBills(1, someBills...)
	if counts := s.updateFeeds(); counts.Items != 5 {
		t.Fatalf("%+v", counts)
	}
	if counts := s.updateFeeds(); counts.Items != 0 {
		t.Errorf("nothing changed: %+v", counts)
	}
	moved := someBills[1]
	moved.status = "Royal assent received"
	moved.titleEn = "An Act respecting rivers, lakes & ponds"
	s.saveBills(2, moved)
	if counts := s.updateFeeds(); counts.Items != 1 {
		t.Errorf("%+v", counts)
	}
	for name, want := range map[string]int{
		"bills": 6, "session-44-1": 4, "session-43-2": 2, "status-RoyalAssentGiven": 3, "status-HouseAt2ndReading": 2, "status-BillDefeated": 0, "sponsor-ada-byron": 3, "committee-FOPO": 2, "bill-44-1-C-12": 2, "bill-44-1-S-203": 1, "search": 2,
	} {
		ids := map[string]bool{}
		for _, form := range []string{"rss", "atom", "json"} {
			for _, lang := range []string{"en", "fr"} {
				path := "/feeds/" + name + "." + form + "?lang=" + lang
				if name == "search" {
					path += "&q=rivers"
				}
				a := s.do("GET", path, "")
				f, err := gofeed.NewParser().Parse(bytes.NewReader(a.body))
				if a.StatusCode != 200 || err != nil {
					t.Fatalf("%s: %d %v %s", path, a.StatusCode, err, a.body)
				}
				if len(f.Items) != want || f.Title == "" || f.FeedLink != selfOf(s.url+path) {
					t.Errorf("%s: %d items, want %d; self %q", path, len(f.Items), want, f.FeedLink)
				}
				if form == "atom" &&
					!strings.Contains(string(a.body), "<id>tag:parliament-explorer,2026:feed/"+name+"/"+lang) {
					t.Errorf("%s has no id of its own: %.400s", path, a.body)
				}
				for _, item := range f.Items {
					ids[item.GUID] = true
					if item.GUID == "" || item.PublishedParsed == nil || item.Title == "" ||
						!strings.HasPrefix(item.Link, s.url+"/ui/bills/") {
						t.Errorf("%s: %+v", path, item)
					}
				}
				for _, header := range [][]string{
					{"If-None-Match", a.Header.Get("ETag")}, {"If-Modified-Since", a.Header.Get("Last-Modified")},
				} {
					if again := s.do("GET", path, "", header...); again.StatusCode != 304 || len(again.body) != 0 ||
						again.Header.Get("ETag") != a.Header.Get("ETag") {
						t.Errorf("%s with %v: %d", path, header, again.StatusCode)
					}
				}
				if stale := s.do("GET", path, "", "If-None-Match", `"x"`, "If-Modified-Since",
					a.Header.Get("Last-Modified")); stale.StatusCode != 200 {
					t.Errorf("%s: an ETag that is not ours goes before the time: %d", path, stale.StatusCode)
				}
			}
		}
		if len(ids) != 2*want { // the same in every form, others in the other language
			t.Errorf("%s: %d ids of %d items", name, len(ids), want)
		}
	}
	for lang, title := range map[string]string{
		"en": "Bills: Royal assent received",
		"fr": "Projets de loi : Royal assent received (fr)",
	} {
		a := s.do("GET", "/feeds/status-RoyalAssentGiven.json?lang="+lang, "")
		if f, err := gofeed.NewParser().Parse(bytes.NewReader(a.body)); err != nil || f.Title != title {
			t.Errorf("%s: %+v, %v, want %q", lang, f, err, title)
		}
	}
	newest := decode[struct{ Items []map[string]any }](t, feedOf(s.do("GET", "/feeds/bill-44-1-C-12.json", "")),
		200).Items[0]
	if text := fmt.Sprint(newest); !strings.Contains(text, "was: At second reading in the House of Commons") ||
		!strings.Contains(text, "rivers, lakes &amp; ponds") || !strings.Contains(text, "Changed: ") {
		t.Errorf("%v", newest)
	}
	french := decode[struct{ Items []map[string]any }](t, feedOf(s.do("GET", "/feeds/bill-44-1-C-12.json?lang=fr", "")),
		200).Items[0]
	if text := fmt.Sprint(french); !strings.Contains(text, "Modifié : identifiant LEGISinfo, état, résumé, titre") ||
		!strings.Contains(text, "État : ") {
		t.Errorf("%v", french)
	}
	for path, status := range map[string]int{
		"/feeds/bills.xml": 422, "/feeds/bills": 422, "/feeds/session-99-1.rss": 404, "/feeds/session-x.rss": 404, "/feeds/status-Nope.rss": 404, "/feeds/sponsor-nobody.rss": 404, "/feeds/committee-NOPE.rss": 404,
		"/feeds/bill-44-1-C-99.rss": 404, "/feeds/bill-x.rss": 404, "/feeds/bill-.rss": 404, "/feeds/nothing.rss": 404, "/feeds/search.rss": 422, "/feeds/bills.rss?q=x": 422, "/feeds/bills.rss?lang=de": 422, "/feeds/.rss": 404,
	} {
		decode[api.Problem](t, s.do("GET", path, ""), status)
	}
	list := decode[api.FeedList](t, s.do("GET", "/feeds", ""), 200)
	var names []string
	for _, f := range list.Items {
		names = append(names, f.Name)
		if f.Name == "status-RoyalAssentGiven" && *f.Title.Fr != "Projets de loi : Royal assent received (fr)" {
			t.Errorf("%q", *f.Title.Fr)
		}
	}
	if strings.Join(names, " ") !=
		"bills session-44-1 session-43-2 status-HouseAt2ndReading status-OutsideOrderPrecedence status-RoyalAssentGiven" {
		t.Errorf("%v", names)
	}
}

// selfOf is the address that a feed gives as its own: what says nothing is left out.
func selfOf(address string) string {
	u, _ := url.Parse(address)
	q := u.Query()
	if q.Get("lang") == "en" {
		q.Del("lang")
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// feedOf drops what decode would not know.
func feedOf(a answer) answer {
	var f struct{ Items []json.RawMessage }
	_ = json.Unmarshal(a.body, &f)
	a.body, _ = json.Marshal(f)
	return a
}
