package server_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/server"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// budget is what one request may cost.
type budget struct {
	cpu    time.Duration
	memory uint64
}

// The budgets of docs/security.md: before it is known who asks, and then. A bad request's answer has less than 16 KiB.
var (
	stranger  = budget{50 * time.Millisecond, 8 << 20}
	known     = budget{250 * time.Millisecond, 32 << 20}
	maxAnswer = 16 << 10
)

// Who asks.
const (
	anybody = iota // of a server that wants no authentication
	nobody         // without a key, of one that does
	admin          // with an admin's key
)

// bench answers requests on the goroutine of whoever asks, and measures what they cost.
type bench struct {
	*site
	open, closed http.Handler
	authorized   string
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{}
	var cfg server.Config
	b.site = setup(t, func(c *server.Config) { cfg = *c })
	serve := func(required bool) http.Handler {
		control, err := access.New(access.Config{Required: required, DB: cfg.DB, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Access = control
		s, err := server.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return s.Whole()
	}
	b.open, b.closed = serve(false), serve(true)
	b.saveBill("44-1", "C-11", "2022-02-02", "An Act to amend the Broadcasting Act")
	b.saveBill("44-1", "S-5", "2022-02-09", "Strengthening Environmental Protection for a Healthier Canada Act")
	b.saveBill("45-1", "C-2", "", "Strong Borders Act")
	_, key := b.key("bench", access.ScopeAdmin, nil)
	b.authorized = "Bearer " + key
	return b
}

// wireRequest is a request as it is on the wire, without the authentication of the client.
type wireRequest struct {
	who                  int
	method, target, body string
	headers              []string // "Name: value"
}

func (a wireRequest) String() string {
	return fmt.Sprintf(
		"%d %s %.200s %.200q %.300q (%d, %d and %d bytes)", a.who, a.method, a.target, a.headers, a.body, len(a.target),
		len(strings.Join(a.headers, "")), len(a.body),
	)
}

// cost is what a request cost, and what was answered.
type cost struct {
	cpu    time.Duration
	memory uint64
	status int
	header http.Header
	body   []byte // the first of it
	length int
}

// ask sends a request, and measures its memory too if it is to. It is false for one that net/http would refuse.
func (b *bench) ask(a wireRequest, memory bool) (cost, bool) {
	raw := a.method + " " + a.target + " HTTP/1.1\r\nHost: localhost\r\n" + strings.Join(append(a.headers, ""), "\r\n")
	handler := b.closed
	switch a.who {
	case anybody:
		handler = b.open
	case admin:
		raw += "Authorization: " + b.authorized + "\r\n"
	}
	if len(raw) > 64<<10 {
		return cost{}, false
	}
	r, err := http.ReadRequest(
		bufio.NewReader(strings.NewReader(raw + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(a.body)))),
	)
	if err != nil {
		return cost{}, false
	}
	r.RemoteAddr, r.Body = "127.0.0.1:1234", io.NopCloser(strings.NewReader(a.body))
	ctx, leave := context.WithTimeout(context.Background(), 20*time.Second)
	defer leave()
	w := &answering{header: http.Header{}, leave: leave}
	var before, after runtime.MemStats
	if memory { // it stops the world
		runtime.ReadMemStats(&before)
	}
	cpu := onOwnThread(func() { handler.ServeHTTP(w, r.WithContext(ctx)) })
	if memory {
		runtime.ReadMemStats(&after)
	}
	return cost{
		cpu: cpu, memory: after.TotalAlloc - before.TotalAlloc, status: w.status, header: w.header,
		body: w.body.Bytes(), length: w.length,
	}, true
}

// answering takes an answer, and keeps as much of it as an answer to a bad request has. It leaves streams after their
// first words.
type answering struct {
	header http.Header
	status int
	body   bytes.Buffer
	length int
	leave  context.CancelFunc
}

func (w *answering) Header() http.Header { return w.header }

func (w *answering) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *answering) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.length += len(p)
	w.body.Write(p[:min(len(p), max(0, maxAnswer-w.body.Len()))])
	return len(p), nil
}

func (w *answering) Flush() {
	if strings.HasPrefix(w.header.Get("Content-Type"), "text/event-stream") {
		w.leave()
	}
}

// budgetOf is what a request may cost. Who is known is what the server answered to: an open one knows everybody.
func budgetOf(a wireRequest) budget {
	of := known
	if a.who == nobody {
		of = stranger
	}
	if dbtest.UnderRace {
		of.cpu, of.memory = 20*of.cpu, 20*of.memory
	}
	if fuzz := flag.Lookup("test.fuzz"); fuzz != nil && fuzz.Value.String() != "" { // built to count what it covers
		of.cpu *= 4
	}
	return of
}

// check asks, and says what is wrong with the answer and what it cost. memory is whether nothing else runs in the
// process, so that its memory is the request's.
func (b *bench) check(a wireRequest, memory bool) (cost, error) {
	got, ok := b.ask(a, memory)
	if !ok {
		return got, nil
	}
	of := budgetOf(a)
	for range 2 { // once may have been bad luck: a connection made anew, a collection of garbage
		if got.cpu <= of.cpu && (!memory || got.memory <= of.memory) {
			break
		}
		if again, _ := b.ask(a, memory); again.cpu+time.Duration(again.memory) < got.cpu+time.Duration(got.memory) {
			again.status = max(got.status, again.status)
			got = again
		}
	}
	switch {
	case got.cpu > of.cpu:
		return got, fmt.Errorf("%s of the processor: want %s at most", got.cpu, of.cpu)
	case memory && got.memory > of.memory:
		return got, fmt.Errorf("%d KiB of memory: want %d KiB at most", got.memory>>10, of.memory>>10)
	case got.status >= 500 && got.status != http.StatusNotImplemented && got.status != http.StatusServiceUnavailable:
		return got, fmt.Errorf("%d: %s", got.status, got.body)
	case got.status < 400:
		return got, nil
	}
	var p api.Problem
	body, encoding := got.body, got.header.Get("Content-Encoding")
	switch {
	case got.length >= maxAnswer:
		return got, fmt.Errorf("%d: an answer of %d bytes", got.status, got.length)
	case got.header.Get("Content-Type") != "application/problem+json":
		return got, fmt.Errorf("%d: %s", got.status, got.header.Get("Content-Type"))
	case encoding != "":
		return got, nil
	case !utf8.Valid(body):
		return got, fmt.Errorf("%d: not UTF-8", got.status)
	}
	if err := json.Unmarshal(body, &p); err != nil || p.Status != got.status || p.Detail == "" || len(p.Errors) > 20 {
		return got, fmt.Errorf("%d: %w: %s", got.status, err, body)
	}
	for _, f := range p.Errors {
		if len(f.Pointer) > 210 || len(f.Detail) > 810 {
			return got, fmt.Errorf(
				"%d: a pointer of %d bytes, a detail of %d", got.status, len(f.Pointer), len(f.Detail),
			)
		}
	}
	return got, nil
}
