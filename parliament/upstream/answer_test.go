package upstream_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
)

// repeated packs begin, n times part, and end.
func repeated(t testing.TB, begin, part string, n int, end string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	chunk := []byte(strings.Repeat(part, 1000))
	fmt.Fprint(z, begin)
	for ; n >= 1000; n -= 1000 {
		z.Write(chunk)
	}
	fmt.Fprint(z, strings.Repeat(part, n), end)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func packed(body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(body)
	}
}

// peakHeap is the most that the heap grew to while f ran. Every answer is read in pieces, and each piece gives the
// watcher a look.
func peakHeap(f func(look func())) (grown uint64) {
	defer debug.SetGCPercent(debug.SetGCPercent(20)) // what lies about is not what is needed
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before, peak := m.HeapAlloc, m.HeapAlloc
	f(func() {
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapAlloc)
	})
	return peak - before
}

// watching has a look before each piece of a body that is read.
type watching struct {
	http.RoundTripper
	look func()
}

func (w watching) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = &watchedBody{resp.Body, w.look}
	}
	return resp, err
}

type watchedBody struct {
	io.ReadCloser
	look func()
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.look()
	return b.ReadCloser.Read(p[:min(len(p), 4<<10)])
}

// TestAnswersOfAnySize reads answers that want much memory in little, and keeps within the budget. It measures the
// heap, so it runs alone.
func TestAnswersOfAnySize(t *testing.T) { //nolint:paralleltest // it measures
	dbtest.Measures(t)
	d := dbtest.New(t)
	const budget = 24 << 20 // of one answer, in the reader; a process has 256 MB for it and for all that it does with it
	for name, c := range map[string]struct {
		body []byte
		want string // of the error; empty: the list is taken
	}{
		"a million numbers":           {repeated(t, "[0", ",0", 1_000_000, "]"), "more than 20000 records"},
		"a million empty lists":       {repeated(t, "[[]", ",[]", 1_000_000, "]"), "more than 20000 records"},
		"brackets":                    {repeated(t, "", "[", 2_000_000, ""), "not valid JSON"},
		"brackets that are closed":    {repeated(t, strings.Repeat("[", 1_000_000), "]", 1_000_000, ""), ""},
		"a million keys":              {repeated(t, `[{"a":0`, `,"k":0`, 1_000_000, "}]"), ""},
		"a text of 60 MB":             {repeated(t, `["`, "x", 60_000_000, `"]`), ""},
		"a number of a MB":            {repeated(t, "[", "9", 1_000_000, "]"), ""},
		"70 MB":                       {repeated(t, "[", " ", 70_000_000, "]"), "longer than 67108864 bytes"},
		"a text without an end":       {repeated(t, `["`, `\u0000`, 1_000_000, ""), "not valid JSON"},
		"a value without an end":      {repeated(t, `[`, `t`, 5_000_000, ""), "not valid JSON"},
		"deep records":                {repeated(t, `[`+nested(1000), `,`+nested(1000), 5000, "]"), ""},
		"an object instead of a list": {repeated(t, `{"a":0`, `,"k":0`, 1_000_000, "}"), "want a list"},
	} {
		t.Run(name, func(t *testing.T) {
			if len(c.body) > 1<<20 {
				t.Fatalf("the test sends %d bytes", len(c.body))
			}
			client := newClient(t, d, packed(c.body), func(cfg *upstream.Config) { cfg.Source, cfg.Timeout = name, time.Minute })
			var records int
			var faults []*upstream.RecordError
			var err error
			grown := peakHeap(func(look func()) {
				upstream.Watch(client, func(rt http.RoundTripper) http.RoundTripper { return watching{rt, look} })
				err = client.GetList(t.Context(), "/x", upstream.List{
					Begin: func() { records, faults = 0, nil },
					Record: func(_ []byte, err error) error {
						if records++; err != nil {
							faults = upstream.AddFault(faults, "http://x/", err)
						}
						if records%100 == 0 {
							look()
						}
						return nil
					},
				})
				look()
			})
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if records > upstream.MaxRecords || len(faults) > upstream.MaxFaults+1 {
				t.Errorf("%d records, %d faults", records, len(faults))
			}
			if c.want == "" && len(faults) == 0 {
				t.Error("all of it was taken")
			}
			if grown > budget {
				t.Errorf("the heap grew by %d MB, want %d at most", grown>>20, budget>>20)
			}
		})
	}
}

func nested(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }

// TestPackedWithoutEnd ends an answer that unpacks to nothing, for ever.
func TestPackedWithoutEnd(t *testing.T) {
	t.Parallel()
	var empty bytes.Buffer
	z := gzip.NewWriter(&empty)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	members := bytes.Repeat(empty.Bytes(), 1000)
	var sent atomic.Int64
	client := newClient(t, dbtest.New(t), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		for {
			n, err := w.Write(members)
			if sent.Add(int64(n)); err != nil {
				return
			}
		}
	}, func(c *upstream.Config) { c.MaxBody, c.Timeout = 1<<20, 0 })
	if err := client.GetJSON(t.Context(), "/x", new(any)); err == nil ||
		!strings.Contains(err.Error(), "longer than 1048576 bytes") {
		t.Errorf("%v after %d bytes", err, sent.Load())
	}
}

// TestList reads a list as it is meant to be, and says what is wrong with others.
func TestList(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	for body, want := range map[string]string{
		`{"objects": [{"a": 1}, 2, "x"], "pagination": {"next": "n"}}`:                 `{"a": 1} 2 "x" next n`,
		` { "pagination" : {"next": "n"} , "more": [1, {"x": []}], "objects" : [ ] }`:  `next n`,
		`{"objects": ["\u0000 \ud800 \ud83d\ude00 \\u0000 \udc00", "` + "\xff" + `"]}`: `"\ufffd \ufffd \ud83d\ude00 \\u0000 \ufffd" "` + "\uFFFD" + `" next `,
		`{"objects": [1e5, -0.5, ` + strings.Repeat("1", 41) + `, true]}`:              `1e5 -0.5 (record 3 of the list has a number of more than 40 characters) true next `,
		`{"objects": [` + nested(65) + `, null]}`:                                      `(record 1 of the list is nested more than 64 deep) null next `,
		`{"objects": [["` + strings.Repeat("x", 2<<20) + `"], 7]}`:                     `(record 1 of the list is longer than 2097152 bytes) 7 next `,
		`{"objects": [[` + strings.Repeat("1,", 100_001) + `1], 7]}`:                   `(record 1 of the list has more than 100000 values) 7 next `,
		`[]`:                         "! want an object with objects",
		`null`:                       "! want an object with objects",
		`{}`:                         "! no list of objects",
		`{"objects": 5}`:             "! no list of objects",
		`{"objects": []} {}`:         "! not valid JSON",
		`{"objects": [1 2]}`:         "! not valid JSON",
		`{"objects": [tru]}`:         "! not valid JSON",
		`{"objects": [1,]}`:          "! not valid JSON",
		`{"objects": [1`:             "! not valid JSON",
		`{"objects" []}`:             "! not valid JSON",
		`{"objects": [{"a": [}]}`:    "! not valid JSON",
		`{"pagination": 5}`:          "! pagination",
		`{"pagination": {"next":1}}`: "! pagination",
	} {
		t.Run(body[:min(len(body), 40)], func(t *testing.T) {
			t.Parallel()
			c := newClient(
				t, d, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) },
				func(c *upstream.Config) { c.Source = body[:min(len(body), 40)] },
			)
			var got []string
			var page struct{ Next string }
			err := c.GetList(t.Context(), "/x", upstream.List{Field: "objects", Fields: map[string]any{
				"pagination": &page,
			}, Begin: func() { got = nil }, Record: func(raw []byte, err error) error {
				if err != nil {
					raw = fmt.Appendf(nil, "(%v)", err)
				}
				got = append(got, string(raw))
				return nil
			}})
			if reason, wrong := strings.CutPrefix(want, "! "); wrong {
				if err == nil || !strings.Contains(err.Error(), reason) {
					t.Errorf("%v, want %s", err, reason)
				}
				return
			}
			if all := strings.Join(append(got, "next "+page.Next), " "); err != nil || all != want {
				t.Errorf("%s, %v\nwant %s", all, err, want)
			}
		})
	}
}

// TestListAgain forgets what came of an answer that was cut off.
func TestListAgain(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	c := newClient(t, dbtest.New(t), func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1) == 1 {
			fmt.Fprint(w, `[1, 2, `)
			return
		}
		fmt.Fprint(w, `[3]`)
	})
	var got []string
	err := c.GetList(t.Context(), "/x", upstream.List{
		Begin: func() { got = nil }, Record: func(raw []byte, _ error) error { got = append(got, string(raw)); return nil },
	})
	if err != nil || fmt.Sprint(got) != "[3]" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAddFault(t *testing.T) {
	t.Parallel()
	var faults []*upstream.RecordError
	for range 250 {
		faults = upstream.AddFault(faults, "http://x/"+strings.Repeat("y", 5000), errors.New(strings.Repeat("z", 5000)))
	}
	last := faults[len(faults)-1]
	if len(faults) != upstream.MaxFaults+1 || last.More != 150 || !strings.Contains(last.Error(), "and 150 more records") {
		t.Errorf("%d faults, the last of them %v", len(faults), last)
	}
	if s := faults[0].Error(); len(s) > 1100 {
		t.Errorf("an error of %d bytes", len(s))
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"abc": "abc", "abcdefgh": "abcde…", "éèêëàù": "éèêëà…", "a\u202eb\u2066c\u200b\u200e\ufeff": "abc", "a\vb\fc": "a b c", "a\u0085b\u009bc": "a b c", "a\x00b\x1b\x7f": "a b  ",
		"a\u200cb\u200dc": "a\u200cb\u200dc", "a\tb\nc": "a\tb\nc", "ab \u00adc": "ab \u00adc", "\U000e0041": "",
	} {
		if got := upstream.Cut(in, 5); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

// TestLastingErrors says which errors another attempt would meet again.
func TestLastingErrors(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	for name, c := range map[string]struct {
		answer  func(w http.ResponseWriter, r *http.Request)
		lasting bool
	}{
		"404":          {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, true},
		"410":          {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(410) }, true},
		"501":          {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(501) }, true},
		"500":          {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, false},
		"429":          {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) }, false},
		"408":          {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(408) }, false},
		"HTML":         {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, false},
		"another kind": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "[]") }, true},
		"an encoding": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			fmt.Fprint(w, "x")
		}, false},
		"a character set": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "UTF-8")
			fmt.Fprint(w, "[]") // is read
		}, true},
		"broken gzip": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			fmt.Fprint(w, "{}")
		}, false},
		"another service": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://example.org/", http.StatusFound)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int32
			client := newClient(
				t, d, func(w http.ResponseWriter, r *http.Request) { n.Add(1); c.answer(w, r) },
				func(cfg *upstream.Config) { cfg.Source = name },
			)
			var into struct{}
			err := client.GetJSON(t.Context(), "/x", &into)
			if err == nil || upstream.IsLasting(err) && !c.lasting || (n.Load() == 1) != c.lasting {
				t.Errorf("%v after %d requests, lasting: %t", err, n.Load(), upstream.IsLasting(err))
			}
			if c.lasting && !upstream.IsLasting(err) {
				t.Errorf("%v is said to pass", err)
			}
		})
	}
}

// TestRedirectsStay follows redirects within the service alone.
func TestRedirectsStay(t *testing.T) {
	t.Parallel()
	for base, targets := range map[string]map[string]bool{
		"http://example.org": {
			"http://example.org/x": true, "http://EXAMPLE.org:80/x": true, "https://example.org/x": true, "https://example.org:443/x": true, "https://example.org:8443/x": false,
			"http://example.org:81/": false, "http://user@example.org/": false, "http://example.org@evil.test/": false, "http://example.org.evil.test/": false, "ftp://example.org/": false,
		},
		"http://example.org:8080": {"http://example.org:8080/x": true, "https://example.org/": false, "https://example.org:8080/": false, "https://example.org:9999/": false},
		"https://example.org":     {"http://example.org/": false, "https://example.org/": true, "https://example.org:444/": false},
		"http://[fe80::1%25eth0]": {"http://[fe80::1%25eth0]/x": true, "http://[fe80::1%25eth1]/": false, "http://[fe80::1]/": false},
	} {
		for target, want := range targets {
			if err := upstream.MayFollow(base, target); (err == nil) != want {
				t.Errorf("%s to %s: %v", base, target, err)
			}
		}
	}
}

// TestPassword sends the user and the password of a source's address to that source, and shows them nowhere.
func TestPassword(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	var mu sync.Mutex
	var seen []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		mu.Lock()
		seen = append(seen, r.URL.Path+" "+user+":"+password)
		mu.Unlock()
		switch r.URL.Path {
		case "/api/old":
			http.Redirect(w, r, "/api/new", http.StatusFound)
		case "/api/new":
			fmt.Fprint(w, "{}")
		default:
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	t.Cleanup(s.Close)
	c := newClient(t, d, nil, func(cfg *upstream.Config) {
		cfg.BaseURL = strings.Replace(s.URL, "://", "://bot:s3cret@", 1) + "/api"
	})
	if err := c.Register(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.GetJSON(t.Context(), "/old", new(any)); err != nil {
		t.Fatal(err)
	}
	err := c.GetJSON(t.Context(), "/none", new(any))
	var stored string
	if e := d.Pool.QueryRow(
		t.Context(), "SELECT string_agg(to_jsonb(s)::text, ' ') FROM source_states s",
	).Scan(&stored); e != nil {
		t.Fatal(e)
	}
	for what, text := range map[string]string{
		"the error": err.Error(), "the address": c.URL("/x"), "what is stored": stored,
	} {
		if strings.Contains(text, "s3cret") || strings.Contains(text, "bot") || !strings.Contains(text, "127.0.0.1") {
			t.Errorf("%s is %s", what, text)
		}
	}
	if want := "[/api/old bot:s3cret /api/new bot:s3cret /api/none bot:s3cret]"; fmt.Sprint(seen) != want {
		t.Errorf("the source saw %v, want %s", seen, want)
	}
	for _, base := range []string{
		"ftp://bot:s3cret@x", "http://bot:s3cret@", "http://bot:s3cret@x:y", "http://x/?key=s3cret", "bot:s3cret@x",
		"ftp://bot:12/s3cret@x/y", "ftp://bot:12?s3cret@x", "ftp://bot:12#s3cret@x", "bot:12/s3cret@x", "bot/s3cret@x",
	} {
		if _, err := upstream.New(upstream.Config{Source: "s", BaseURL: base}); err == nil ||
			strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", base, err)
		}
	}
}
