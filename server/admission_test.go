package server_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/server"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// dial sends bytes on a connection of its own, and gives that.
func (s *site) dial(text string) net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, text); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// TestSeriesAreFixed sends made-up methods and paths: the metrics have no more series for it.
func TestSeriesAreFixed(t *testing.T) {
	t.Parallel()
	s := setup(t)
	series := func() int {
		return bytes.Count(s.do("GET", "/metrics", "").body, []byte("explorer_http_request_duration_seconds_count"))
	}
	visit := func(round int) {
		var b strings.Builder
		for i := range 50 {
			for _, path := range []string{
				"/bills", "/feeds/x", fmt.Sprintf("/nothing%d-%d", round, i), "/ui/x", "/riverui/x", "/",
			} {
				fmt.Fprintf(&b, "M%dX%d %s HTTP/1.1\r\nHost: localhost\r\n\r\n", round, i, path)
			}
		}
		b.WriteString("GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		if _, err := io.Copy(io.Discard, s.dial(b.String())); err != nil {
			t.Fatal(err)
		}
	}
	visit(0)
	series() // which counts itself
	before := series()
	visit(1)
	if after := series(); after != before || before > 20 {
		t.Errorf("%d series, and %d after other methods and paths", before, after)
	}
}

// TestOneFeedForAllHosts asks for a feed under many names: each gets its own address, and the feed is kept once.
func TestOneFeedForAllHosts(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.saveBill("45-1", "C-2", "2026-01-02", "An Act")
	tags := map[string]bool{}
	for _, form := range []string{"rss", "atom", "json"} {
		for _, host := range []string{"a.localhost", "b.localhost", "o'brien&co.localhost"} {
			c := s.dial("GET /feeds/bills." + form + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n")
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			text := string(raw)
			plain := strings.NewReplacer("&amp;", "&", "&#39;", "'", `\u0026`, "&").Replace(text)
			if err != nil || resp.StatusCode != 200 || !strings.Contains(plain, "http://"+host+"/feeds/bills."+form) ||
				strings.Contains(text, "invalid") {
				t.Errorf("%s as %s: %d %s", form, host, resp.StatusCode, text)
			}
			if form == "json" && !json.Valid(raw) {
				t.Errorf("not JSON: %s", text)
			}
			if tag := resp.Header.Get("ETag"); tags[tag] {
				t.Errorf("%s as %s: the tag of another: %s", form, host, tag)
			} else {
				tags[tag] = true
			}
		}
	}
}

// TestBodiesOfStrangers sends longer bodies than are read before authentication.
func TestBodiesOfStrangers(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	_, key := s.key("ops", access.ScopeOperate, nil)
	blank := func(n int) string { return "{" + strings.Repeat(" ", n) + "}" }
	decodes := func(path, body string, status int, headers ...string) {
		t.Helper()
		if got := s.do("POST", path, body, headers...); got.StatusCode != status {
			t.Errorf("POST %s of %d bytes: %d, want %d: %.200s", path, len(body), got.StatusCode, status, got.body)
		}
	}
	decodes("/session", blank(5<<10), http.StatusRequestEntityTooLarge)
	decodes("/session", blank(1<<10), http.StatusUnprocessableEntity)
	decodes("/webhooks/hook", blank(65<<10), http.StatusRequestEntityTooLarge)
	decodes("/assets/echo/materialize", blank(500<<10), http.StatusAccepted, bearer(key)...)
	// What is not read is not held either, and the answer comes before the body.
	c := s.dial("GET /healthz?x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("%v, %v", resp, err)
	}
}

// TestProbesWithParameters are no probes, and counted.
func TestProbesWithParameters(t *testing.T) {
	t.Parallel()
	s := guarded(t, func(c *access.Config) { c.RateLimit = 3 })
	for i := range 6 {
		want := http.StatusUnprocessableEntity
		if i >= 3 {
			want = http.StatusTooManyRequests
		}
		if got := s.do("GET", "/healthz?a=b", ""); got.StatusCode != want {
			t.Errorf("%d: %d, want %d", i, got.StatusCode, want)
		}
	}
	if got := s.do("GET", "/healthz", ""); got.StatusCode != http.StatusOK {
		t.Errorf("a probe: %d", got.StatusCode)
	}
}

// TestSlowStrangersAndAKey has strangers send bodies that do not come: everybody else is answered, at the same address
// too.
func TestSlowStrangersAndAKey(t *testing.T) {
	t.Parallel()
	s := guarded(t, func(c *access.Config) { c.RateLimit = 10_000 })
	_, key := s.key("ops", access.ScopeRead, nil)
	var slow []net.Conn
	for range 100 {
		slow = append(slow,
			s.dial("POST /session HTTP/1.1\r\nHost: localhost\r\n"+
				"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"))
	}
	for range 20 {
		if got := s.do("GET", "/version", "", bearer(key)...); got.StatusCode != http.StatusOK {
			t.Errorf("%d %s", got.StatusCode, got.body)
		}
		if got := s.do("GET", "/version", ""); got.StatusCode != http.StatusOK {
			t.Errorf("another stranger: %d %s", got.StatusCode, got.body)
		}
	}
	// The bodies are not waited for longer than five seconds, and some of the requests have no turn in two.
	statuses := map[int]int{}
	for _, c := range slow {
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		statuses[resp.StatusCode]++
	}
	if statuses[http.StatusBadRequest] < 30 || statuses[http.StatusTooManyRequests] < 1 {
		t.Errorf("%v", statuses)
	}
}

// TestSlowBodiesLeaveCompression has strangers send bodies that do not come and take compressed answers: those of
// others are compressed all the same.
func TestSlowBodiesLeaveCompression(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	_, key := s.key("ops", access.ScopeRead, nil)
	for range 40 {
		s.dial("POST /session HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n" +
			"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	}
	for range 5 {
		if got := s.do("GET", "/openapi.json", "",
			append(bearer(key), "Accept-Encoding", "gzip")...); got.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%d, Content-Encoding %q", got.StatusCode, got.Header.Get("Content-Encoding"))
		}
	}
}

// TestSeveralRanges asks for thousands of parts of a file: they would be written one by one.
func TestSeveralRanges(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	file := regexp.MustCompile(`static/index-[^"]+\.js`).FindString(string(s.do("GET", "/ui/", "").body))
	if file == "" {
		t.Fatal("the page has no script")
	}
	for _, header := range [][]string{
		{"Range", "bytes=" + strings.Repeat("0-0,", 10_000) + "0-0"}, {"Range", "bytes=0-0,2-2"},
	} {
		if got := s.do("GET", "/ui/"+file, "", header...); got.StatusCode != http.StatusOK {
			t.Errorf("%.20s: %d, %d bytes", header[1], got.StatusCode, len(got.body))
		}
	}
	if got := s.do("GET", "/ui/"+file, "", "Range", "bytes=0-0"); got.StatusCode != http.StatusPartialContent ||
		len(got.body) != 1 {
		t.Errorf("one range: %d, %d bytes", got.StatusCode, len(got.body))
	}
}

// TestOptionsOfTheServer asks with long headers for the server's own options: net/http answered them by itself, and
// their headers were counted as not whole for as long as the connection stayed.
func TestOptionsOfTheServer(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	long := "X: " + strings.Repeat("x", 58<<10) + "\r\n"
	c := s.dial("")
	answers := bufio.NewReader(c)
	for range 160 { // more than there may be of headers that are not whole
		if _, err := io.WriteString(c, "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n"+long+"\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		if resp.Header.Get("X-Request-Id") == "" {
			t.Fatalf("%d without an id: it was not counted", resp.StatusCode)
		}
	}
	if got := s.do("GET", "/version", "", "Cookie", "a="+strings.Repeat("x", 20<<10)); got.StatusCode != http.StatusOK {
		t.Errorf("a long header of somebody else: %d", got.StatusCode)
	}
}

// TestConnectionsAreBounded opens more connections than the limit: the oldest ones without authentication are closed,
// not those of a key.
func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	few := setup(t, func(cfg *server.Config) {
		control, err := access.New(access.Config{Required: true, DB: cfg.DB, Logger: cfg.Logger})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Access, cfg.MaxConnections = control, 20
	})
	_, key := few.key("ops", access.ScopeRead, nil)
	request := "GET /version HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + key + "\r\n\r\n"
	mine := few.dial(request)
	answers := bufio.NewReader(mine)
	ask := func() {
		t.Helper()
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%d, %v", resp.StatusCode, err)
		}
	}
	ask()
	var all []net.Conn
	for range 50 {
		all = append(all, few.dial("GET / HTTP/1.1\r\n"))
	}
	for _, c := range all[:40] { // closed by the server: nothing comes from the others
		if n, err := c.Read(make([]byte, 1)); err == nil {
			t.Fatalf("%d bytes came", n)
		}
	}
	if _, err := io.WriteString(mine, request); err != nil {
		t.Fatal(err)
	}
	ask()
}

// TestManyHeaderLines sends a header of many short lines, each of which takes far more once it is read.
func TestManyHeaderLines(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, "%x:\r\n", i)
	}
	c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"+b.String()+"\r\n")
	if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil && resp.StatusCode == http.StatusOK {
		t.Error("it was answered")
	}
}

// TestListsAsTheyAre compares lists, which are written item by item, with what they decode to.
func TestListsAsTheyAre(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for i := range 60 {
		s.saveBill("45-1", fmt.Sprint("C-", i+2), "2026-01-02", "An Act")
	}
	for _, path := range []string{
		"/bills?limit=50&count=true", "/bills/changes?limit=50", "/search?q=act&limit=50", "/bills?limit=1",
		"/bills?q=nothing", "/jobs", "/sensors",
	} {
		got := s.do("GET", path, "")
		var generic map[string]any
		if err := json.Unmarshal(got.body, &generic); err != nil || got.StatusCode != 200 ||
			got.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %v %.300s", path, got.StatusCode, err, got.body)
		}
		if _, ok := generic["items"].([]any); !ok {
			t.Errorf("%s: %.300s", path, got.body)
		}
		if bytes.Contains(got.body, []byte(`,,`)) || !bytes.HasSuffix(got.body, []byte("}\n")) {
			t.Errorf("%s ends %q", path, got.body[len(got.body)-10:])
		}
	}
}
