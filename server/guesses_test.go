package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/server"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// TestGuessesBeforeTheDatabase has an address guess keys until it may not, and then takes the table of keys away: what
// is guessed after that is not looked for.
func TestGuessesBeforeTheDatabase(t *testing.T) {
	t.Parallel()
	s := guarded(t, func(c *access.Config) { c.RateLimit = 0 })
	for i := range 40 {
		s.do("GET", "/jobs", "", bearer(fmt.Sprintf("pex_guess%d", i))...)
	}
	s.exec("ALTER TABLE api_keys RENAME TO taken_away")
	for i := range 10 {
		for _, path := range []string{"/jobs", "/session"} {
			a := s.do("GET", path, "", bearer(fmt.Sprintf("pex_another%d", i))...)
			decode[api.Problem](t, a, http.StatusTooManyRequests)
			if a.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		}
		decode[api.Problem](t, s.do("POST", "/session", fmt.Sprintf(`{"key": "pex_third%d"}`, i)), http.StatusTooManyRequests)
	}
	// What wants no key does not look for it either.
	for path, want := range map[string]int{"/nothing": 404, "/docs/": 200, "/": 302, "/healthz": 200, "/readyz": 200} {
		if got := s.do("GET", path, "", bearer("pex_guess")...); got.StatusCode != want {
			t.Errorf("%s: %d", path, got.StatusCode)
		}
	}
}

// TestSessionsBeforeTheDatabase sends cookies of no session from an address that has no request left.
func TestSessionsBeforeTheDatabase(t *testing.T) {
	t.Parallel()
	s := guarded(t, func(c *access.Config) { c.RateLimit = 5 })
	_, key := s.key("ops", access.ScopeRead, nil)
	b := s.browser()
	decode[api.SessionState](t, b.do("POST", "/session", fmt.Sprintf(`{"key": %q}`, key)), 200)
	if got := b.do("GET", "/jobs", ""); got.StatusCode != 200 { // the session has counted once
		t.Fatalf("%d %s", got.StatusCode, got.body)
	}
	for range 10 {
		s.do("GET", "/jobs", "")
	}
	if got := b.do("GET", "/jobs", ""); got.StatusCode != 200 {
		t.Errorf("somebody at the same address: %d %s", got.StatusCode, got.body)
	}
	s.exec("ALTER TABLE sessions RENAME TO taken_away")
	for i := range 5 {
		decode[api.Problem](t, s.do("GET", "/jobs", "", "Cookie", fmt.Sprintf("explorer_session=guess%d", i)),
			http.StatusTooManyRequests)
	}
}

// TestManyAtOnceWithAKey has clients with good keys begin at the same time: none of them is taken for one who guesses.
func TestManyAtOnceWithAKey(t *testing.T) {
	t.Parallel()
	s := guarded(t, func(c *access.Config) { c.RateLimit = 10_000 })
	var keys []string
	for i := range 50 {
		_, key := s.key(fmt.Sprint("client ", i), access.ScopeRead, nil)
		keys = append(keys, key)
	}
	statuses := make(chan int, 200)
	for i := range cap(statuses) {
		go func() {
			req, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"/version", http.NoBody)
			if err != nil {
				statuses <- 0
				return
			}
			req.Header.Set("Authorization", "Bearer "+keys[i%len(keys)])
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				statuses <- 0
				return
			}
			resp.Body.Close()
			statuses <- resp.StatusCode
		}()
	}
	for range cap(statuses) {
		if got := <-statuses; got != 200 {
			t.Errorf("%d", got)
		}
	}
}

// TestGuessesOfANetwork has somebody guess who has a network of IPv6: each address of it is another, and they count
// together.
func TestGuessesOfANetwork(t *testing.T) {
	t.Parallel()
	s := setup(t, func(cfg *server.Config) {
		control, err := access.New(access.Config{Required: true, DB: cfg.DB, Logger: cfg.Logger})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Access, cfg.TrustedProxies = control, loopbackNet(t)
	})
	_, key := s.key("ops", access.ScopeRead, nil)
	from := func(address, key string) int {
		return s.do("GET", "/jobs", "", "Authorization", "Bearer "+key, "X-Forwarded-For", address).StatusCode
	}
	statuses := map[int]int{}
	for i := range 60 {
		statuses[from(fmt.Sprintf("2001:db8:1:2:%x::%x", i, i), fmt.Sprintf("pex_guess%d", i))]++
	}
	if statuses[401] < 30 || statuses[401] > 35 {
		t.Errorf("answers to guesses: %v", statuses)
	}
	if got := from("2001:db8:1:2::ffff", key); got != http.StatusTooManyRequests {
		t.Errorf("a good key from the same network: %d", got)
	}
	for _, other := range []string{"2001:db8:1:3::1", "192.0.2.1", "::ffff:192.0.2.2"} {
		if got := from(other, key+"x"); got != http.StatusUnauthorized {
			t.Errorf("a wrong key from %s: %d", other, got)
		}
	}
}

// TestVersionIsForEverybody, as the contract and the documentation say.
func TestVersionIsForEverybody(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	if v := decode[api.Version](t, s.do("GET", "/version", ""), 200); v.Go == "" {
		t.Errorf("%+v", v)
	}
	op := contract(t).Paths.Find("/version").Get
	if op.Extensions["x-required-scope"] != "none" || op.Security == nil || len(*op.Security) != 0 {
		t.Errorf("the contract: %v %v", op.Extensions, op.Security)
	}
}

func TestRateLimit(t *testing.T) {
	s := guarded(t, func(c *access.Config) { c.RateLimit = 5 })
	_, one := s.key("one", access.ScopeRead, nil)
	_, two := s.key("two", access.ScopeRead, nil)
	for i := range 5 {
		got := s.do("GET", "/jobs", "", bearer(one)...)
		if want := fmt.Sprintf(`"default";r=%d;`, 4-i); got.StatusCode != 200 ||
			!strings.HasPrefix(
				got.Header.Get("RateLimit"), want,
			) || got.Header.Get("RateLimit-Policy") != `"default";q=5;w=60` {
			t.Errorf(
				"request %d: %d, %s, %s", i, got.StatusCode, got.Header.Get("RateLimit"),
				got.Header.Get("RateLimit-Policy"),
			)
		}
	}
	over := s.do("GET", "/jobs", "", bearer(one)...)
	decode[api.Problem](t, over, http.StatusTooManyRequests)
	if after := over.Header.Get("Retry-After"); after == "" || after == "0" {
		t.Errorf("Retry-After %q", after)
	}
	if got := s.do("GET", "/jobs", "", bearer(two)...); got.StatusCode != 200 {
		t.Errorf("another key: %d", got.StatusCode)
	}
	if got := s.do("GET", "/healthz", ""); got.StatusCode != 200 || got.Header.Get("RateLimit") != "" {
		t.Errorf("a probe: %d, %s", got.StatusCode, got.Header.Get("RateLimit"))
	}
}

func TestGuessing(t *testing.T) {
	s := guarded(t, func(c *access.Config) { c.RateLimit = 0 }) // which is no limit of guesses
	_, known := s.key("known", access.ScopeRead, nil)
	_, key := s.key("ops", access.ScopeRead, nil)
	if got := s.do("GET", "/jobs", "", bearer(known)...); got.StatusCode != 200 {
		t.Fatalf("a good key: %d", got.StatusCode)
	}
	statuses := map[int]int{}
	for i := range 40 {
		statuses[s.do("GET", "/jobs", "", bearer(fmt.Sprintf("pex_guess%d", i))...).StatusCode]++
	}
	if statuses[401] < 30 || statuses[401] > 32 || statuses[429] < 8 {
		t.Errorf("answers to guesses: %v", statuses)
	}
	// A right guess is answered as a wrong one is: whoever guesses learns nothing.
	decode[api.Problem](t, s.do("POST", "/session", fmt.Sprintf(`{"key": %q}`, key)), http.StatusTooManyRequests)
	got := s.do("GET", "/jobs", "", bearer(key)...)
	decode[api.Problem](t, got, http.StatusTooManyRequests)
	if got.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if got := s.do("GET", "/jobs", "", bearer(known)...); got.StatusCode != 200 {
		t.Errorf("a key that counted lately, from the same address: %d", got.StatusCode)
	}
	decode[api.SessionState](t, s.do("POST", "/session", fmt.Sprintf(`{"key": %q}`, known)), 200)
}
