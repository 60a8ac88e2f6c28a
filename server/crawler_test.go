package server_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// links matches what a page, a feed or a sitemap leads to.
var links = regexp.MustCompile(`(?:href|src|content)="([^"]+)"|<loc>([^<]+)</loc>|<link>([^<]+)</link>`)

var basePart = regexp.MustCompile(`<base href="([^"]+)"`)

// linksOf returns the addresses on the same server that an answer leads to.
func linksOf(t *testing.T, s *site, a answer) (out []string) {
	t.Helper()
	base := a.Request.URL
	if m := basePart.FindSubmatch(a.body); m != nil {
		ref, err := url.Parse(string(m[1]))
		if err != nil {
			t.Fatal(err)
		}
		base = base.ResolveReference(ref)
	}
	if to := a.Header.Get("Location"); to != "" {
		a.body = fmt.Appendf(a.body, `href="%s"`, to)
	}
	for _, m := range links.FindAllSubmatch(a.body, -1) {
		text := string(m[1]) + string(m[2]) + string(m[3])
		ref, err := url.Parse(strings.ReplaceAll(text, "&amp;", "&"))
		if err != nil || strings.Contains(text, " ") || strings.HasPrefix(string(m[0]), "content") && !ref.IsAbs() {
			continue
		}
		if to := base.ResolveReference(ref); to.Scheme+"://"+to.Host == s.url {
			out = append(out, to.RequestURI())
		}
	}
	return out
}

// TestCrawlerWithoutAKey walks all links from the first page, all pages for readers and all operations of the contract
// without a key, with PUBLIC_READ=data. It gets every page and all data for readers, and nothing of operations.
func TestCrawlerWithoutAKey(t *testing.T) {
	t.Parallel()
	s := public(t, access.PublicData, 0)
	s.saveBill("44-1", "C-11", "2022-02-02", "An Act about crawlers")
	wanted := []string{
		"/ui/", "/ui/home", "/ui/bills", "/ui/bills/44-1/C-11", "/ui/bills/44-1/C-11?lang=fr",
		"/ui/embed/bills/44-1/C-11",
		"/ui/politicians", "/ui/search", "/ui/search?q=crawlers", "/ui/data", "/ui/feeds", "/ui/glossary",
		"/robots.txt", "/sitemap.xml", "/bills", "/bills/44-1/C-11", "/bills/44-1/C-11/versions",
		"/bills/44-1/C-11/stages", "/bills/44-1/C-11/votes", "/bills/changes", "/politicians", "/search?q=crawlers",
		"/feeds", "/feeds/bills.rss", "/feeds/bills.atom", "/feeds/bills.json", "/feeds/bill-44-1-C-11.rss", "/exports",
		"/exports/bills.csv", "/session",
	}
	queue, statuses := append([]string{"/"}, wanted...), map[string]int{}
	for len(queue) > 0 {
		path := queue[0]
		queue = queue[1:]
		if _, seen := statuses[path]; seen || len(statuses) > 2000 {
			continue
		}
		got := s.do("GET", path, "")
		statuses[path] = got.StatusCode
		kind := got.Header.Get("Content-Type")
		if strings.Contains(kind, "html") || strings.Contains(kind, "xml") || got.Header.Get("Location") != "" {
			queue = append(queue, linksOf(t, s, got)...)
		}
	}
	for _, path := range wanted {
		if statuses[path] != http.StatusOK {
			t.Errorf("%s: %d", path, statuses[path])
		}
	}
	if statuses["/sitemaps/bills-1.xml"] != http.StatusOK || statuses["/ui/theme.js"] != http.StatusOK {
		t.Errorf("links were not followed: %v", statuses)
	}
	for path, status := range statuses {
		if status != http.StatusOK && status != http.StatusFound && status != http.StatusMovedPermanently {
			t.Errorf("a link leads to %s: %d", path, status)
		}
	}
	s.asksForOperations(t)
}

// asksForOperations sends every operation of the contract without a key.
func (s *site) asksForOperations(t *testing.T) {
	t.Helper()
	for path, item := range contract(t).Paths.Map() {
		for method, op := range item.Operations() {
			at := path
			for _, p := range slices.Concat(item.Parameters, op.Parameters) {
				if p.Value.In == "path" {
					at = strings.ReplaceAll(at, "{"+p.Value.Name+"}", fmt.Sprint(p.Value.Example))
				}
			}
			scope, _ := op.Extensions["x-required-scope"].(string)
			got := s.do(method, at, "")
			refused := got.StatusCode == http.StatusUnauthorized
			switch {
			case scope == "none" || scope == "signature":
			case slices.Contains(readByAnybody, op.OperationID) && (refused || got.StatusCode == http.StatusForbidden):
				t.Errorf("%s is for readers: %d", op.OperationID, got.StatusCode)
			case !slices.Contains(readByAnybody, op.OperationID) && !refused:
				t.Errorf("%s is not for readers: %d %.200s", op.OperationID, got.StatusCode, got.body)
			}
		}
	}
	for _, path := range []string{"/riverui/api/queues", "/riverui/", "/debug/pprof/", "/debug/pprof/heap"} {
		if got := s.do("GET", path, "", "Accept", "application/json"); got.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d", path, got.StatusCode)
		}
	}
}
