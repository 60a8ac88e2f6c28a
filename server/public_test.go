package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// public is a site that anybody may read.
func public(t *testing.T, read access.PublicRead, limit int) *site {
	return guarded(t, func(c *access.Config) { c.PublicRead, c.ReaderLimit = read, limit })
}

// TestPublicAnswersAreCacheable checks that a reader's answers of data may be held by any cache, and those to a key by
// none that is shared.
func TestPublicAnswersAreCacheable(t *testing.T) {
	t.Parallel()
	s := public(t, access.PublicAll, 0)
	s.saveBill("44-1", "C-11", "2022-02-02", "An Act about caches")
	_, key := s.key("r", access.ScopeRead, nil)
	for _, path := range []string{
		"/bills", "/bills/44-1/C-11", "/bills/44-1/C-11/versions", "/bills/44-1/C-11/stages", "/search?q=caches",
		"/politicians", "/feeds", "/feeds/bills.rss", "/exports", "/exports/bills.csv", "/bills?session=1-1",
	} {
		first := s.do("GET", path, "")
		tag, vary := first.Header.Get("ETag"), strings.Join(first.Header.Values("Vary"), ", ")
		if first.StatusCode != http.StatusOK || tag == "" || first.Header.Get("Cache-Control") != "public, max-age=60" ||
			!strings.Contains(vary, "Authorization") || !strings.Contains(vary, "Cookie") {
			t.Errorf("%s: %d %v", path, first.StatusCode, first.Header)
		}
		again := s.do("GET", path, "", "If-None-Match", tag)
		if again.StatusCode != http.StatusNotModified || len(again.body) > 0 || again.Header.Get("ETag") != tag ||
			again.Header.Get("Cache-Control") != "public, max-age=60" {
			t.Errorf("%s again: %d %v", path, again.StatusCode, again.Header)
		}
		if head := s.do("HEAD", path, ""); head.StatusCode != http.StatusOK || head.Header.Get("ETag") != tag {
			t.Errorf("HEAD %s: %d %v", path, head.StatusCode, head.Header)
		}
		own := s.do("GET", path, "", bearer(key)...)
		control := own.Header.Get("Cache-Control")
		if own.StatusCode != http.StatusOK || !strings.Contains(control, "private") || strings.Contains(control, "public") {
			t.Errorf("%s with a key: %d %v", path, own.StatusCode, own.Header)
		}
		if string(own.body) != string(first.body) {
			t.Errorf("%s: a reader gets\n%.300s\nand a key\n%.300s", path, first.body, own.body)
		}
	}
	for path, status := range map[string]int{"/bills/44-1/C-99": 404, "/bills?limit=0": 422, "/search?q=%20": 422} {
		got := s.do("GET", path, "")
		if got.StatusCode != status || got.Header.Get("Cache-Control") != "no-store" || got.Header.Get("ETag") != "" {
			t.Errorf("%s: %d %v", path, got.StatusCode, got.Header)
		}
	}
	for _, path := range []string{"/runs", "/assets", "/status"} { // change at any moment
		got := s.do("GET", path, "")
		if got.StatusCode != http.StatusOK || got.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d %v", path, got.StatusCode, got.Header)
		}
	}
}

// TestPublicReadIsLimited checks that readers of an address have their own limit.
func TestPublicReadIsLimited(t *testing.T) {
	t.Parallel()
	s := public(t, access.PublicData, 5)
	_, key := s.key("r", access.ScopeRead, nil)
	for range 5 {
		if got := s.do("GET", "/bills", ""); got.StatusCode != http.StatusOK ||
			!strings.HasPrefix(got.Header.Get("RateLimit-Policy"), `"reader";q=5;`) {
			t.Fatalf("%d %v", got.StatusCode, got.Header)
		}
	}
	got := s.do("GET", "/bills", "")
	if got.StatusCode != http.StatusTooManyRequests || got.Header.Get("Retry-After") == "" {
		t.Errorf("beyond the limit: %d %v", got.StatusCode, got.Header)
	}
	if got := s.do("GET", "/bills", "", bearer(key)...); got.StatusCode != http.StatusOK {
		t.Errorf("with a key: %d %s", got.StatusCode, got.body)
	}
}

// TestSessionSaysWhatIsPublic checks that a page learns what its visitor may read before it asks for anything.
func TestSessionSaysWhatIsPublic(t *testing.T) {
	t.Parallel()
	for _, read := range []access.PublicRead{access.PublicNone, access.PublicData, access.PublicAll} {
		state := decode[api.SessionState](t, public(t, read, 0).do("GET", "/session", ""), http.StatusOK)
		if string(state.PublicRead) != string(read) || state.Identity != nil {
			t.Errorf("PUBLIC_READ=%s: %+v", read, state)
		}
	}
}
