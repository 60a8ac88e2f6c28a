package simulate

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Faults configure how the sources misbehave. Shares are fractions of all answers, from 0 to 1.
type Faults struct {
	Status500 float64 `json:"500"`
	Status429 float64 `json:"429"`
	Truncate  float64 `json:"truncate"` // cut off in the middle of the body
	Drop      float64 `json:"drop"`     // connection closed without an answer
	HTML      float64 `json:"html"`     // a maintenance page with status 200
	// RPS is the number of requests per second above which each source answers 429; 0: no limit.
	RPS float64 `json:"rps"`
	// Latency is a wait before each answer.
	Latency time.Duration `json:"latency"`
	// Outage makes every request fail with 503.
	Outage bool `json:"outage"`
	// MaxConcurrent is the number of requests in flight above which openparliament.ca answers 429; default 8.
	MaxConcurrent int `json:"max_concurrent"`
	// Bare says how LEGISinfo answers for its list without a session: "" with the list, "overview" with a redirect to a
	// page, "away" with one to another service, "moved" with one to the list, "page" with a page, "brief" with the items'
	// other form, "empty" with a list of nothing, or with an HTTP status such as "500".
	Bare string `json:"bare"`
	// Session is the same of its lists of one session; "ignored" is with the current session's, whichever was asked for.
	Session string `json:"session"`
	// Browsers makes LEGISinfo answer 403 to clients whose User-Agent does not contain Mozilla.
	Browsers bool `json:"browsers"`
	// OtherSponsors makes the SponsorId of LEGISinfo's lists differ from the person id.
	OtherSponsors bool `json:"other_sponsors"`
	// Slashless removes the last slash from openparliament.ca's own addresses.
	Slashless bool `json:"slashless"`
	// Seed is the seed of the random faults.
	Seed uint64 `json:"seed"`
}

// stats is what one source has seen.
type stats struct {
	Requests    int            `json:"requests"` // since the last reset
	ByPath      map[string]int `json:"by_path"`
	ByStatus    map[string]int `json:"by_status"`
	MaxInFlight int            `json:"max_in_flight"`
	MaxInSecond int            `json:"max_in_any_second"`
	NoUserAgent int            `json:"default_user_agent"` // requests with Go's or Python's own
	inFlight    int
	recent      []time.Time
}

// gate stands before the sources: it counts, limits and spoils.
type gate struct {
	mu     sync.Mutex
	faults Faults
	rng    *rand.Rand
	stats  map[string]*stats
}

func newGate(f Faults) *gate {
	if f.MaxConcurrent == 0 {
		f.MaxConcurrent = 8
	}
	g := &gate{faults: f, rng: rand.New(rand.NewPCG(f.Seed, 0))} //nolint:gosec // draws that can be repeated
	g.reset()
	return g
}

func (g *gate) reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stats = map[string]*stats{}
}

func (g *gate) of(source string) *stats {
	s := g.stats[source]
	if s == nil {
		s = &stats{ByPath: map[string]int{}, ByStatus: map[string]int{}}
		g.stats[source] = s
	}
	return s
}

func (g *gate) snapshot(source string) stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := *g.of(source)
	s.ByPath, s.ByStatus = maps.Clone(s.ByPath), maps.Clone(s.ByStatus)
	return s
}

// change sets the faults that a query names.
func (g *gate) change(query url.Values) (Faults, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.faults
	shares := map[string]*float64{
		"500": &f.Status500, "429": &f.Status429, "truncate": &f.Truncate, "drop": &f.Drop, "html": &f.HTML,
	}
	for key := range query {
		value := query.Get(key)
		var err error
		switch share, ok := shares[key]; {
		case ok:
			if *share, err = strconv.ParseFloat(value, 64); err == nil && (*share < 0 || *share > 1) {
				err = fmt.Errorf("want 0 to 1")
			}
		case key == "rps":
			f.RPS, err = strconv.ParseFloat(value, 64)
		case key == "latency":
			f.Latency, err = time.ParseDuration(value)
		case key == "outage":
			f.Outage, err = strconv.ParseBool(value)
		case key == "max_concurrent":
			f.MaxConcurrent, err = strconv.Atoi(value)
		case key == "bare":
			f.Bare, err = value, listing(value)
		case key == "session":
			f.Session, err = value, listing(value)
		case key == "browsers":
			f.Browsers, err = strconv.ParseBool(value)
		case key == "other_sponsors":
			f.OtherSponsors, err = strconv.ParseBool(value)
		case key == "slashless":
			f.Slashless, err = strconv.ParseBool(value)
		case key == "seed":
			f.Seed, err = strconv.ParseUint(value, 10, 64)
		default:
			err = fmt.Errorf("no such fault: want 500, 429, truncate, drop, html, rps, latency, outage, max_concurrent, bare, " +
				"session, browsers, other_sponsors, slashless or seed")
		}
		if err != nil {
			return f, fmt.Errorf("%s=%s: %w", key, value, err)
		}
	}
	g.faults, g.rng = f, rand.New(rand.NewPCG(f.Seed, 0)) //nolint:gosec // draws that can be repeated
	return f, nil
}

// listings are how LEGISinfo may answer for a list, besides with a status.
var listings = []string{"", "overview", "away", "moved", "page", "brief", "empty", "ignored"}

func listing(value string) error {
	if status, err := strconv.Atoi(value); err == nil && status >= 400 && status <= 599 ||
		slices.Contains(listings, value) {
		return nil
	}
	return fmt.Errorf("want one of %q, or a status from 400 to 599", listings)
}

// current are the faults as they are now.
func (g *gate) current() Faults {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.faults
}

// verdict is what the gate makes of one request; the zero value lets it pass.
type verdict struct {
	status, retryAfter   int
	drop, truncate, html bool
	forbidden            bool
	latency              time.Duration
}

func (g *gate) enter(source string, limited bool, r *http.Request) verdict {
	g.mu.Lock()
	defer g.mu.Unlock()
	s, now, f := g.of(source), time.Now(), g.faults
	s.Requests++
	s.ByPath[template(r.URL.Path)]++
	if ua := r.UserAgent(); ua == "" || strings.HasPrefix(ua, "Go-http-client") || strings.HasPrefix(ua, "python") {
		s.NoUserAgent++
	}
	s.inFlight++
	s.MaxInFlight = max(s.MaxInFlight, s.inFlight)
	s.recent = append(s.recent, now)
	for now.Sub(s.recent[0]) >= time.Second {
		s.recent = s.recent[1:]
	}
	s.MaxInSecond = max(s.MaxInSecond, len(s.recent))
	v := verdict{latency: f.Latency}
	switch {
	case f.Outage:
		v.status, v.retryAfter = http.StatusServiceUnavailable, 5
	case f.Browsers && source == "legisinfo" && !strings.Contains(r.UserAgent(), "Mozilla"):
		v.forbidden = true
	case limited && s.inFlight > f.MaxConcurrent, f.RPS > 0 && float64(len(s.recent)) > max(f.RPS, 1):
		v.status, v.retryAfter = http.StatusTooManyRequests, 1
	case g.rng.Float64() < f.Status500:
		v.status = http.StatusInternalServerError
	case g.rng.Float64() < f.Status429:
		v.status, v.retryAfter = http.StatusTooManyRequests, 1
	case g.rng.Float64() < f.Drop:
		v.drop = true
	case g.rng.Float64() < f.Truncate:
		v.truncate = true
	case g.rng.Float64() < f.HTML:
		v.html = true
	}
	return v
}

var variable = regexp.MustCompile(`/(\d+-\d+|[A-Za-z]+-\d+[A-Za-z]?|\d+)(/|$)`)

// template is a path without what tells one record from another.
func template(path string) string {
	for range 3 { // neighbours share a slash
		path = variable.ReplaceAllString(path, "/*$2")
	}
	if parts := strings.Split(path, "/"); len(parts) == 4 && parts[1] == "politicians" {
		return "/politicians/*/"
	}
	return path
}

func (g *gate) leave(source string, status int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.of(source)
	s.inFlight = max(0, s.inFlight-1)
	s.ByStatus[strconv.Itoa(status)]++
}

func (g *gate) wrap(source string, limited bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		v := g.enter(source, limited, r)
		status := 0
		defer func() { g.leave(source, status) }()
		if v.latency > 0 {
			select {
			case <-time.After(v.latency):
			case <-r.Context().Done():
				return
			}
		}
		if v.retryAfter > 0 {
			rw.Header().Set("Retry-After", strconv.Itoa(v.retryAfter))
		}
		switch {
		case v.status != 0:
			status = v.status
			http.Error(rw, http.StatusText(status), status)
			return
		case v.forbidden:
			status = http.StatusForbidden
			writePage(rw, status, "Access Denied")
			return
		case v.drop:
			panic(http.ErrAbortHandler)
		case v.html:
			status = http.StatusOK
			writePage(rw, status, "Under maintenance")
			return
		}
		a := &answer{header: rw.Header(), status: http.StatusOK} // kept whole, so that its length is known before it is cut
		next.ServeHTTP(a, r)
		status = a.status
		body := a.body.Bytes()
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") && len(body) > 512 {
			body = packed(body)
			rw.Header().Set("Content-Encoding", "gzip")
			rw.Header().Add("Vary", "Accept-Encoding")
		}
		rw.Header().Set("Content-Length", strconv.Itoa(len(body)))
		rw.WriteHeader(status)
		if v.truncate {
			_, _ = rw.Write(body[:len(body)/2])
			_ = http.NewResponseController(rw).Flush()
			panic(http.ErrAbortHandler)
		}
		_, _ = rw.Write(body)
	})
}

func writePage(rw http.ResponseWriter, status int, title string) {
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	rw.WriteHeader(status)
	_, _ = fmt.Fprintf(
		rw, "<!DOCTYPE html><html><head><title>%s</title></head><body><h1>%s</h1></body></html>", title, title,
	)
}

type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

func packed(body []byte) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed) // a level that there is
	_, _ = z.Write(body)
	_ = z.Close()
	return b.Bytes()
}
