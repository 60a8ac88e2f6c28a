package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/parliament/internal/sql"
	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
)

func newClient(t testing.TB, d *db.DB, h http.HandlerFunc, change ...func(*upstream.Config)) *upstream.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	cfg := upstream.Config{
		Source: "test", BaseURL: s.URL, UserAgent: "tester (me@example.org)", DB: d, Logger: slog.New(slog.DiscardHandler),
		RetryDelay: time.Millisecond, Timeout: 2 * time.Second,
	}
	for _, f := range change {
		f(&cfg)
	}
	c, err := upstream.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestGetJSON(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	good := func(w http.ResponseWriter) { fmt.Fprint(w, `{"ok": true}`) }
	hijack := func(w http.ResponseWriter, send string) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		fmt.Fprint(conn, send)
		conn.Close()
	}
	for name, fault := range map[string]func(http.ResponseWriter){
		"500":              func(w http.ResponseWriter) { w.WriteHeader(500) },
		"429 with a delay": func(w http.ResponseWriter) { w.Header().Set("Retry-After", "1"); w.WriteHeader(429) },
		"429 without":      func(w http.ResponseWriter) { w.WriteHeader(429) },
		"HTML":             func(w http.ResponseWriter) { w.Header().Set("Content-Type", "text/html"); fmt.Fprint(w, "<html>") },
		"cut off":          func(w http.ResponseWriter) { hijack(w, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"ok\":") },
		"half JSON":        func(w http.ResponseWriter) { fmt.Fprint(w, `{"ok":`) },
		"dropped":          func(w http.ResponseWriter) { hijack(w, "") },
		"empty":            func(http.ResponseWriter) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var n, retries, requests atomic.Int32
			var began, again time.Time
			c := newClient(t, d, func(w http.ResponseWriter, r *http.Request) {
				if r.UserAgent() != "tester (me@example.org)" {
					t.Errorf("User-Agent %q", r.UserAgent())
				}
				if n.Add(1) == 1 {
					began = time.Now()
					fault(w)
					return
				}
				again = time.Now()
				good(w)
			}, func(c *upstream.Config) { c.Source = name })
			ctx := upstream.WithObserver(t.Context(), upstream.Observer{
				Request: func(string) { requests.Add(1) }, Retry: func(string, error, int, time.Duration) { retries.Add(1) },
			})
			var v struct{ OK bool }
			if err := c.GetJSON(ctx, "/x", &v); err != nil || !v.OK {
				t.Errorf("%v %v", v, err)
			}
			if retries.Load() != 1 || requests.Load() != 2 {
				t.Errorf("%d retries, %d requests", retries.Load(), requests.Load())
			}
			if name == "429 with a delay" && again.Sub(began) < 990*time.Millisecond {
				t.Errorf("came back after %s, was told 1 s", again.Sub(began))
			}
		})
	}

	t.Run("404 is not retried", func(t *testing.T) {
		t.Parallel()
		var n atomic.Int32
		c := newClient(t, d, func(w http.ResponseWriter, _ *http.Request) { n.Add(1); w.WriteHeader(404) })
		var status *upstream.StatusError
		if err := c.GetJSON(t.Context(), "/x", new(any)); !errors.As(err, &status) || status.Status != 404 || n.Load() != 1 {
			t.Errorf("%v after %d requests", err, n.Load())
		}
	})

	t.Run("a long Retry-After is obeyed by not waiting for it", func(t *testing.T) {
		t.Parallel()
		var n atomic.Int32
		c := newClient(t, d, func(w http.ResponseWriter, _ *http.Request) {
			n.Add(1)
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(503)
		}, func(c *upstream.Config) { c.Source = "away for an hour" })
		var gone *upstream.UnavailableError
		for range 2 {
			if err := c.GetJSON(t.Context(), "/x", new(any)); !errors.As(err, &gone) {
				t.Errorf("%v", err)
			}
		}
		if n.Load() != 1 || !strings.Contains(gone.Error(), "left alone") {
			t.Errorf("%d requests; then %v", n.Load(), gone)
		}
	})

	t.Run("too long", func(t *testing.T) {
		t.Parallel()
		c := newClient(
			t, d, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `"%s"`, strings.Repeat("x", 2000)) },
			func(c *upstream.Config) { c.MaxBody = 1000 },
		)
		var body *upstream.BodyError
		if err := c.GetJSON(t.Context(), "/x", new(any)); !errors.As(err, &body) ||
			!strings.Contains(err.Error(), "longer than 1000 bytes") {
			t.Errorf("%v", err)
		}
	})

	t.Run("silence ends, and an outage opens the breaker", func(t *testing.T) {
		t.Parallel()
		var n atomic.Int32
		c := newClient(
			t, d, func(_ http.ResponseWriter, r *http.Request) { n.Add(1); <-r.Context().Done() },
			func(c *upstream.Config) { c.Source, c.Timeout = "silent", 30*time.Millisecond },
		)
		var gone *upstream.UnavailableError
		for range 3 {
			if err := c.GetJSON(t.Context(), "/x", new(any)); !errors.As(err, &gone) {
				t.Errorf("%v", err)
			}
		}
		if n.Load() > 10 {
			t.Errorf("%d requests to a service that is down", n.Load())
		}
		if !strings.Contains(gone.Error(), "left alone") {
			t.Errorf("the breaker did not open: %v", gone)
		}
	})

	t.Run("canceled", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("enough")
		c := newClient(t, d, func(_ http.ResponseWriter, r *http.Request) { cancel(cause); <-r.Context().Done() })
		if err := c.GetJSON(ctx, "/x", new(any)); !errors.Is(err, cause) {
			t.Errorf("%v", err)
		}
	})

	t.Run("NUL in a text", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, d, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"a": "x\u0000y", "b": "\\u0000"}`)
		})
		var v struct{ A, B string }
		if err := c.GetJSON(t.Context(), "/x", &v); err != nil || v.A != "x\uFFFDy" || v.B != `\u0000` {
			t.Errorf("%q %q %v", v.A, v.B, err)
		}
	})
}

func TestLimits(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	var inFlight, most atomic.Int32
	var mu sync.Mutex
	var at []time.Time
	handler := func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		at = append(at, time.Now())
		mu.Unlock()
		n := inFlight.Add(1)
		defer inFlight.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		<-time.After(5 * time.Millisecond) // a service takes a moment
		fmt.Fprint(w, `{}`)
	}
	s := httptest.NewServer(http.HandlerFunc(handler))
	t.Cleanup(s.Close)
	var wg sync.WaitGroup
	for range 3 { // three processes
		c := newClient(t, d, nil, func(c *upstream.Config) { c.BaseURL, c.RPS, c.MaxInFlight = s.URL, 50, 2 })
		for range 4 {
			wg.Go(func() {
				for range 5 {
					if err := c.GetJSON(t.Context(), "/", new(any)); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	if most.Load() > 2 {
		t.Errorf("%d in flight, want 2 at most", most.Load())
	}
	for i := 50; i < len(at); i++ {
		if gap := at[i].Sub(at[i-50]); gap < time.Second {
			t.Errorf("51 requests within %s", gap)
		}
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "ftp://x", "http://", "x y"} {
		if _, err := upstream.New(upstream.Config{Source: "s", BaseURL: base}); err == nil ||
			!strings.Contains(err.Error(), "base URL") {
			t.Errorf("%q: %v", base, err)
		}
	}
}

// TestStates tells how a source did, as people see it.
func TestStates(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	var down atomic.Bool
	c := newClient(t, d, func(w http.ResponseWriter, _ *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, `{}`)
	}, func(c *upstream.Config) { c.RPS, c.MaxInFlight = 1000, 3 })
	state := func() sql.ListSourcesRow {
		t.Helper()
		rows, err := sql.New(d.Pool).ListSources(t.Context())
		if err != nil || len(rows) != 1 {
			t.Fatalf("%d sources, %v", len(rows), err)
		}
		return rows[0]
	}
	if err := c.Register(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := state(); s.Source != "test" || s.RequestsPerSecond != 1000 || s.MaxInFlight != 3 || s.LastSuccessAt != nil ||
		s.BreakerOpen {
		t.Errorf("registered as %+v", s)
	}
	var v any
	if err := c.GetJSON(t.Context(), "/x", &v); err != nil {
		t.Fatal(err)
	}
	if s := state(); s.LastSuccessAt == nil || s.LastFailureAt != nil || s.InFlight != 0 {
		t.Errorf("after a success %+v", s)
	}
	down.Store(true)
	for range 3 { // ten faults in a row open the breaker
		if err := c.GetJSON(t.Context(), "/x", &v); err == nil {
			t.Fatal("no error")
		}
	}
	if s := state(); s.LastFailureAt == nil || s.LastError == nil || !strings.Contains(*s.LastError, "500") ||
		!s.BreakerOpen || s.BreakerChangedAt == nil {
		t.Errorf("after failures %+v", s)
	}
}

func TestRedirect(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	var asked atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		fmt.Fprint(w, `{"ok": true}`)
	}))
	t.Cleanup(elsewhere.Close)
	c := newClient(t, d, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/old":
			http.Redirect(w, r, "/new", http.StatusMovedPermanently)
		case "/new":
			fmt.Fprint(w, `{"ok": true}`)
		case "/circle":
			http.Redirect(w, r, "/circle", http.StatusFound)
		default:
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
		}
	})
	var v struct{ OK bool }
	if err := c.GetJSON(t.Context(), "/old", &v); err != nil || !v.OK {
		t.Errorf("within the service: %+v, %v", v, err)
	}
	for path, reason := range map[string]string{"/away": "leads away", "/circle": "in circles"} {
		if err := c.GetJSON(t.Context(), path, &v); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the other service was asked %d times", n)
	}
}
