package openparliament_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
)

func clientOf(t testing.TB, h http.HandlerFunc) (openparliament.Client, string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c, err := upstream.New(upstream.Config{Source: openparliament.Source, BaseURL: s.URL, UserAgent: "tester"})
	if err != nil {
		t.Fatal(err)
	}
	return openparliament.Client{Client: c}, s.URL
}

// table serves a list of bills. order gives the bills in the order of the page that begins at an offset, and next makes
// the address of the next page.
func table(
	t testing.TB, order func(offset int) []string, next func(r *http.Request, offset, limit int) string,
	requests *atomic.Int32,
) http.HandlerFunc {
	t.Helper()
	return func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if !strings.HasSuffix(r.URL.Path, "/") {
			http.NotFound(w, r)
			return
		}
		limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
		offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
		all := order(offset)
		objects := []map[string]any{}
		for _, id := range all[min(offset, len(all)):min(offset+limit, len(all))] {
			session, number, _ := strings.Cut(id, "/")
			objects = append(objects, map[string]any{"session": session, "number": number, "url": "/bills/" + id})
		}
		var url any
		if offset+limit < len(all) {
			url = next(r, offset+limit, limit)
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(map[string]any{
			"objects": objects, "pagination": map[string]any{"next_url": url},
		}); err != nil {
			t.Error(err)
		}
	}
}

// bills are those of four sessions that share their numbers, with the sessions of each number in order, or turned
// round.
func bills(numbers int, turned bool) []string {
	var all []string
	for n := range numbers {
		for s := range 4 {
			if turned {
				s = 3 - s
			}
			all = append(all, fmt.Sprintf("4%d-1/C-%d", s+1, n+1))
		}
	}
	return all
}

func relative(_ *http.Request, offset, limit int) string {
	return fmt.Sprintf("/bills/?limit=%d&offset=%d", limit, offset)
}

// TestPagesLoseNoBill reorders the bills of a number from page to page: those at the end of a page come twice or not at
// all.
func TestPagesLoseNoBill(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		numbers  int
		order    func(offset int) []string
		requests int
		lost     int
	}{
		// 500 is a multiple of four: a session more moves it into the midst of a number.
		"in order": {numbers: 300, order: func(int) []string { return append([]string{"41-1/S-1"}, bills(300, false)...) }, requests: 3},
		"turned":   {numbers: 300, order: func(offset int) []string { return append([]string{"41-1/S-1"}, bills(300, offset%1000 == 500)...) }, requests: 6},
		"one page": {numbers: 100, order: func(int) []string { return append([]string{"41-1/S-1"}, bills(100, true)...) }, requests: 1},
		"one twice, for good": {numbers: 300, order: func(int) []string {
			all := append([]string{"41-1/S-1"}, bills(300, false)...)
			return append(all[:1200:1200], all[7])
		}, requests: 10, lost: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			client, _ := clientOf(t, table(t, c.order, relative, &requests))
			got, faults, err := client.BillsSince(t.Context(), time.Now())
			seen := map[string]bool{}
			for _, b := range got {
				seen[b.Session+"/"+b.Number] = true
			}
			want := 4*c.numbers + 1 - c.lost
			if err != nil || len(got) != want || len(seen) != want || int(requests.Load()) != c.requests ||
				(len(faults) == 1) != (c.lost > 0) || len(faults) > 1 {
				t.Errorf(
					"%d bills, %d different, want %d; %d requests, want %d; %v, %v", len(got), len(seen), want, requests.Load(),
					c.requests, faults, err,
				)
			}
			if c.lost > 0 &&
				!strings.Contains(fmt.Sprint(faults), "the list has 1201 records, but its pages have only 1200 different ones") {
				t.Errorf("%v", faults)
			}
		})
	}
}

// TestAddressesOfAnswers checks that the next page is requested with a slash at the end of its path, and from this
// service only.
func TestAddressesOfAnswers(t *testing.T) {
	t.Parallel()
	all := bills(150, false) // two pages
	order := func(int) []string { return all }
	for name, c := range map[string]struct {
		next func(r *http.Request, offset, limit int) string
		err  string
	}{
		"relative": {next: relative},
		"no slash": {next: func(_ *http.Request, o, l int) string { return fmt.Sprintf("/bills?limit=%d&offset=%d&x=a/b", l, o) }},
		"whole":    {next: func(r *http.Request, o, l int) string { return "http://" + r.Host + relative(r, o, l) }},
		"whole, none": {next: func(r *http.Request, o, l int) string {
			return fmt.Sprintf("http://%s/bills?offset=%d&limit=%d", r.Host, o, l)
		}},
		"elsewhere":      {next: func(r *http.Request, o, l int) string { return "http://elsewhere.example.org" + relative(r, o, l) }, err: "leads away"},
		"no scheme":      {next: func(r *http.Request, o, l int) string { return "//" + r.Host + relative(r, o, l) }, err: "leads away"},
		"the host's":     {next: func(r *http.Request, o, l int) string { return "http://" + r.Host + ".example.org" + relative(r, o, l) }, err: "leads away"},
		"a user":         {next: func(r *http.Request, o, l int) string { return "http://" + r.Host + "@example.org" + relative(r, o, l) }, err: "leads away"},
		"a backslash":    {next: func(*http.Request, int, int) string { return `/\example.org/` }, err: "leads away"},
		"a new line":     {next: func(*http.Request, int, int) string { return "/bills/\r\nX: y" }, err: "leads away"},
		"in circles":     {next: func(*http.Request, int, int) string { return "/bills?limit=500&offset=7" }, err: "in circles"},
		"not an address": {next: func(*http.Request, int, int) string { return "bills/?offset=500" }, err: "leads away"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			client, _ := clientOf(t, table(t, order, c.next, &requests))
			got, faults, err := client.BillsSince(t.Context(), time.Now())
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || strings.ContainsAny(err.Error(), "\r\n") {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil || len(got) != len(all) || len(faults) > 0 || requests.Load() != 2 {
				t.Errorf("%d bills in %d requests; %v, %v", len(got), requests.Load(), faults, err)
			}
			if got[0].URL != "/bills/"+all[0]+"/" {
				t.Errorf("address of a bill %q", got[0].URL)
			}
		})
	}
}

// TestPoliticiansWithoutSlash checks that the record of a politician whose address lacks its last slash is requested
// with it.
func TestPoliticiansWithoutSlash(t *testing.T) {
	t.Parallel()
	client, _ := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/politicians/":
			fmt.Fprint(
				w,
				`{"objects": [{"name": "Ada Byron", "url": "/politicians/ada-byron"}, {"name": "Eve", "url": "http://elsewhere.example.org/politicians/eve/"}], "pagination": {"next_url": null}}`,
			)
		case "/politicians/ada-byron/":
			fmt.Fprint(w, strings.Replace(person, "/politicians/ada-byron/", "/politicians/ada-byron", 1))
		default:
			http.NotFound(w, r)
		}
	})
	members, faults, err := client.Politicians(t.Context(), true)
	if err != nil || len(members) != 1 || members[0].Slug != "ada-byron" || len(faults) != 1 {
		t.Fatalf("%+v, %v, %v", members, faults, err)
	}
	if p, err := client.Politician(t.Context(), members[0].Slug); err != nil || p.PersonID != 77 {
		t.Errorf("%+v, %v", p, err)
	}
}
