package server_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// TestASignInCountsOnce sends the same sign-in repeatedly, as no browser does: the provider is asked once. It used to
// be asked each time.
func TestASignInCountsOnce(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	p.roles["ada"] = []string{"read"}
	s := guarded(t, func(c *access.Config) { c.OIDC, c.RateLimit = p.config(), 0 })
	begin := func() (cookie []string, state string) {
		t.Helper()
		got := s.plain("GET", "/session/oidc", "", http.Header{})
		u, err := url.Parse(got.Header.Get("Location"))
		if err != nil || len(got.Cookies()) != 1 {
			t.Fatalf("begin: %d %s %v", got.StatusCode, got.body, err)
		}
		return []string{"Cookie", got.Cookies()[0].Name + "=" + got.Cookies()[0].Value}, u.Query().Get("state")
	}
	hits := func() (n int) {
		p.set(func() { n = p.hits["/token"] })
		return n
	}
	p.enter(s, "ada") // after which it is known how the provider wants to be asked
	before := hits()
	cookie, state := begin()
	for range 10 {
		decode[api.Problem](t, s.do("GET", "/session/oidc/callback?code=x&state="+state, "", cookie...),
			http.StatusUnauthorized)
	}
	if n := hits() - before; n != 1 {
		t.Errorf("the provider was asked %d times for one sign-in", n)
	}
	// With sign-ins of their own they are guesses.
	statuses := map[int]int{}
	for range 40 {
		cookie, state := begin()
		a := s.do("GET", "/session/oidc/callback?code=x&state="+state, "", cookie...)
		statuses[a.StatusCode]++
		if a.StatusCode == http.StatusTooManyRequests && (a.Header.Get("Retry-After") == "" || len(a.Cookies()) != 0) {
			t.Errorf("Retry-After %q, cookies %v", a.Header.Get("Retry-After"), a.Cookies())
		}
	}
	if n := hits() - before; n < 30 || n > 38 || statuses[401] != n-1 || statuses[429] != 41-n {
		t.Errorf("the provider was asked %d times, answers %v", n, statuses)
	}
}
