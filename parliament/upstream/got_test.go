package upstream_test

import (
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
)

// TestErrorsSayWhatCame requests a list and receives other things. The error says what they were.
func TestErrorsSayWhatCame(t *testing.T) {
	t.Parallel()
	const page = "<!DOCTYPE html><html><head>\n<TITLE lang=\"en\">\n  Overview &amp; more\x1b[31m -\tLEGISinfo " +
		"</TITLE></head><body></body></html>"
	var mu sync.Mutex
	asked := map[string]int{}
	html := func(w http.ResponseWriter, status int) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		fmt.Fprint(w, page)
	}
	c := newClient(t, dbtest.New(t), func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.URL.Path]++
		mu.Unlock()
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/overview?from=secret", http.StatusFound)
		case "/overview":
			html(w, http.StatusOK)
		case "/forbidden":
			html(w, http.StatusForbidden)
		case "/packed":
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(http.StatusNotFound)
			z := gzip.NewWriter(w)
			_, _ = z.Write([]byte(page))
			_ = z.Close()
		case "/bare":
			w.Header()["Content-Type"] = nil
			w.WriteHeader(http.StatusGone)
		case "/list-moved":
			http.Redirect(w, r, "/other", http.StatusFound)
		case "/other":
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"items": []}`)
		case "/good-moved":
			http.Redirect(w, r, "/good", http.StatusFound)
		case "/good":
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `[1, 2]`)
		}
	})
	get := func(path string) (records int, err error) {
		err = c.GetList(t.Context(), path, upstream.List{
			Begin: func() { records = 0 }, Record: func([]byte, error) error { records++; return nil },
		})
		return records, err
	}
	for path, want := range map[string][]string{
		"/moved":      {"is HTML, not JSON", "text/html; charset=utf-8", `titled "Overview & more [31m - LEGISinfo"`, "a redirect led, http://127.0.0.1:", "/overview)"},
		"/forbidden":  {"answered 403 Forbidden", "text/html", `titled "Overview & more`, "USER_AGENT"},
		"/packed":     {"answered 404 Not Found", `titled "Overview & more`},
		"/bare":       {"answered 410 Gone", "no content type"},
		"/list-moved": {"want a list", "application/json", "a redirect led, http://127.0.0.1:", "/other)"},
	} {
		_, err := get(path)
		for _, part := range want {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v\n\tdoes not say %q", path, err, part)
			}
		}
		mu.Lock()
		times := asked[path]
		mu.Unlock()
		if times != 1 || !upstream.IsLasting(err) || strings.Contains(err.Error(), "secret") ||
			strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%s was asked for %d times: %v", path, times, err)
		}
		if upstream.IsRefusal(err) != (path == "/forbidden") {
			t.Errorf("%s: a refusal: %t", path, upstream.IsRefusal(err))
		}
	}
	if n, err := get("/good-moved"); n != 2 || err != nil {
		t.Errorf("a redirect to a list: %d records, %v", n, err)
	}
}

// TestAskOnce sends requests without a database: there are no limits and no retries.
func TestAskOnce(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	with := newClient(t, dbtest.New(t), func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	c, err := upstream.New(upstream.Config{Source: "test", BaseURL: with.URL(""), UserAgent: "tester"})
	if err != nil {
		t.Fatal(err)
	}
	var status *upstream.StatusError
	if err := c.GetJSON(t.Context(), "/x", new(any)); !errors.As(err, &status) ||
		status.Status != http.StatusServiceUnavailable || asked.Load() != 1 {
		t.Errorf("%v after %d requests", err, asked.Load())
	}
}
