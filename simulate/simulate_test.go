package simulate_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
	"github.com/parliament-explorer/parliament-explorer/simulate"
)

func serve(t testing.TB, o simulate.Options) *httptest.Server {
	t.Helper()
	w, err := simulate.NewWorld(o)
	if err != nil {
		t.Fatal(err)
	}
	return serveWorld(t, w)
}

func serveWorld(t testing.TB, w *simulate.World) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(w.Handler(simulate.Faults{}))
	t.Cleanup(s.Close)
	return s
}

func post(t testing.TB, url string) {
	t.Helper()
	resp, err := http.Post(url, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body.Close(); resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", url, resp.Status)
	}
}

func get(t testing.TB, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(b)
}

func TestDeterministic(t *testing.T) {
	t.Parallel()
	one, same, other := serve(t, simulate.Options{}), serve(t, simulate.Options{}), serve(t, simulate.Options{Seed: 2})
	for _, path := range []string{
		"/bills/?limit=500", "/legisinfo/en/bills/json?parlsession=45-1", "/legisinfo/en/bill/45-1/c-2/json",
	} {
		_, a := get(t, one.URL+path)
		_, b := get(t, same.URL+path)
		_, c := get(t, other.URL+path)
		if a != b || a == c {
			t.Errorf("%s: same seed same %v, other seed same %v", path, a == b, a == c)
		}
	}
}

// TestRecordsAreReadable parses every record of a large Parliament, on several days, with the real parsers.
func TestRecordsAreReadable(t *testing.T) {
	t.Parallel()
	s := serve(t, simulate.Options{Sessions: 3, Bills: 300})
	laws, bills := 0, 0
	for _, day := range []string{"2022-01-01", "2024-06-01", "2026-06-18"} {
		resp, err := http.Post(s.URL+"/control/clock?as_of="+day, "", nil)
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		resp.Body.Close()
		_, body := get(t, s.URL+"/legisinfo/en/bills/json?parlsession=all")
		var raws []json.RawMessage
		if err := json.Unmarshal([]byte(body), &raws); err != nil {
			t.Fatal(err)
		}
		laws, bills = 0, len(raws)
		for i, raw := range raws {
			item, err := legisinfo.ParseItem(raw)
			if err != nil {
				t.Fatalf("%v: %s", err, raw)
			}
			if item.RoyalAssent != "" {
				laws++
			}
			if item.RoyalAssent > day || item.Introduced() > day {
				t.Errorf("%s %s knows the future: %+v", day, item.Number, item)
			}
			if i%20 > 0 {
				continue
			}
			_, detail := get(t, s.URL+"/legisinfo/en/bill/"+item.Session+"/"+strings.ToLower(item.Number)+"/json")
			var ds []json.RawMessage
			if err := json.Unmarshal([]byte(detail), &ds); err != nil || len(ds) != 1 {
				t.Fatal(err, detail)
			}
			if d, err := legisinfo.ParseDetail(ds[0]); err != nil || d.ID != item.ID {
				t.Errorf("%v %v", d, err)
			}
		}
	}
	if laws == 0 || bills < 700 {
		t.Errorf("%d laws among %d bills", laws, bills)
	}
	n := 0
	for path := "/bills/?limit=100"; path != ""; {
		_, body := get(t, s.URL+path)
		var page struct {
			Objects    []json.RawMessage
			Pagination struct {
				NextURL *string `json:"next_url"`
			}
		}
		if err := json.Unmarshal([]byte(body), &page); err != nil {
			t.Fatal(err)
		}
		for _, raw := range page.Objects {
			if _, err := openparliament.ParseBill(raw); err != nil {
				t.Error(err)
			}
			n++
		}
		path = ""
		if page.Pagination.NextURL != nil {
			path = *page.Pagination.NextURL
		}
	}
	if n != bills {
		t.Errorf("openparliament has %d bills, LEGISinfo %d", n, bills)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	s := serve(t, simulate.Options{Bills: 20})
	for _, c := range []struct {
		query string
		want  int
	}{
		{"500=1", 500}, {"500=0&429=1", 429}, {"429=0&html=1", 200}, {"html=0&drop=1", 0}, {"drop=0&truncate=1", 0},
		{"truncate=0&outage=true", 503}, {"outage=false", 200},
	} {
		resp, err := http.Post(s.URL+"/control/faults?"+c.query, "", nil)
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		resp.Body.Close()
		if status, body := get(t, s.URL+"/bills/"); status != c.want ||
			(strings.Contains(c.query, "html=1") && !strings.HasPrefix(body, "<!DOCTYPE")) {
			t.Errorf("%s: %d %.60s", c.query, status, body)
		}
	}
	resp, err := http.Post(s.URL+"/control/faults?nope=1", "", nil)
	if err != nil || resp.StatusCode != 400 {
		t.Error(resp, err)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, o := range []simulate.Options{
		{Sessions: -1}, {Sessions: 21}, {Bills: 5001}, {DaysPerSecond: -1}, {Codes: []string{"44"}}, {Codes: []string{"45-1", "44-1"}}, {Codes: []string{"45-1", "45-1"}}, {Codes: []string{"045-1"}}, {Codes: []string{"45-0"}},
	} {
		if _, err := simulate.NewWorld(o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
	w, err := simulate.NewWorld(simulate.Options{AsOf: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil || w.Today().Format(time.DateOnly) != "2025-01-01" {
		t.Error(w, err)
	}
}
