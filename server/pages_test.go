package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/server"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// TestPagesSayWhatTheyAre checks the HTML of pages in both languages.
func TestPagesSayWhatTheyAre(t *testing.T) {
	t.Parallel()
	s := public(t, access.PublicData, 0)
	s.saveBill("44-1", "C-11", "2022-02-02", `An Act about "quotes" & signs`)
	bill := s.url + "/ui/bills/44-1/C-11"
	for path, wants := range map[string][]string{
		"/ui/bills/44-1/C-11": {
			`<html lang="en"`, `<title>C-11 (44-1): An Act about &#34;quotes&#34; &amp; signs · Parliament Explorer</title>`,
			`<link rel="canonical" href="` + bill + `" />`, `hreflang="fr" href="` + bill + `?lang=fr"`,
			`<meta property="og:title" content="C-11 (44-1): An Act about &#34;quotes&#34; &amp; signs" />`,
			`<meta property="og:url" content="` + bill + `" />`, `<meta property="og:locale" content="en_CA" />`,
			`href="../feeds/bill-44-1-C-11.atom" />`, `<meta name="description" content="An Act about &#34;quotes&#34;`,
		},
		"/ui/bills/44-1/c-11?lang=fr": {
			`<html lang="fr"`, `<title>C-11 (44-1) : An Act`, `<link rel="canonical" href="` + bill + `?lang=fr" />`,
			`<meta property="og:locale" content="fr_CA" />`, `href="../feeds/bill-44-1-C-11.rss?lang=fr" />`,
		},
		"/ui/bills?lang=fr": {`<title>Projets de loi · Parliament Explorer</title>`, `href="../feeds/bills.atom?lang=fr" />`},
		"/ui/politicians":   {`<title>Politicians · Parliament Explorer</title>`},
		"/ui/feeds?lang=fr": {`<title>Fils · Parliament Explorer</title>`, `/ui/feeds?lang=fr" />`},
		"/ui/":              {`<title>Canada&#39;s federal bills · `, `<link rel="canonical" href="` + s.url + `/ui/home" />`},
		"/ui/home":          {`<title>Canada&#39;s federal bills · `, `<link rel="canonical" href="` + s.url + `/ui/home" />`},
	} {
		got := s.do("GET", path, "")
		for _, want := range wants {
			if got.StatusCode != http.StatusOK || !strings.Contains(string(got.body), want) {
				t.Errorf("%s: %d, want %s in\n%s", path, got.StatusCode, want, got.body)
			}
		}
		if strings.Contains(string(got.body), "noindex") {
			t.Errorf("%s must not be listed", path)
		}
		policy := got.Header.Get("Content-Security-Policy")
		if strings.Contains(policy, "script-src") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("%s: policy %q", path, policy)
		}
		tag := got.Header.Get("ETag")
		if again := s.do("GET", path, "", "If-None-Match", tag); again.StatusCode != http.StatusNotModified {
			t.Errorf("%s again: %d", path, again.StatusCode)
		}
	}
	for path, status := range map[string]int{
		"/ui/bills/44-1/C-99": 404, "/ui/bills/x/y": 404, "/ui/politicians/nobody": 404, "/ui/runs": 200, "/ui/runs/1": 200,
		"/ui/embed/bills/44-1/C-99": 404, "/ui/search?q=a": 200,
	} {
		got := s.do("GET", path, "")
		if got.StatusCode != status || !strings.Contains(string(got.body), `<div id="root">`) ||
			!strings.Contains(string(got.body), `content="noindex"`) {
			t.Errorf("%s: %d, want %d with the application: %s", path, got.StatusCode, status, got.body)
		}
	}
}

// TestPagesTellNothingUnlessPublic checks that an address says nothing about the data without PUBLIC_READ.
func TestPagesTellNothingUnlessPublic(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	s.saveBill("44-1", "C-11", "2022-02-02", "An Act about secrets")
	there, not := s.do("GET", "/ui/bills/44-1/C-11", ""), s.do("GET", "/ui/bills/44-1/C-99", "")
	if there.StatusCode != http.StatusOK || string(there.body) != string(not.body) || not.StatusCode != http.StatusOK {
		t.Errorf("%d %s and %d %s", there.StatusCode, there.body, not.StatusCode, not.body)
	}
	if got := s.do("GET", "/robots.txt", ""); string(got.body) != "User-agent: *\nDisallow: /\n" {
		t.Errorf("robots.txt: %s", got.body)
	}
	for _, path := range []string{"/sitemap.xml", "/sitemaps/pages.xml", "/sitemaps/bills-1.xml"} {
		if got := s.do("GET", path, ""); got.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.StatusCode)
		}
	}
}

// TestSitemap checks that the files of the sitemap have every bill once.
func TestSitemap(t *testing.T) {
	t.Parallel()
	s := setup(t, func(cfg *server.Config) {
		control, err := access.New(access.Config{
			Required: true, DB: cfg.DB, Logger: cfg.Logger, PublicRead: access.PublicData,
		})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Access, cfg.PublicURL = control, "https://bills.example.org/"
		server.SetSitemapPiece(cfg, 2)
	})
	for i := range 5 {
		s.saveBill("44-1", fmt.Sprintf("C-%d", i+2), "2022-02-02", fmt.Sprintf("Act %d", i))
	}
	index := string(s.do("GET", "/sitemap.xml", "").body)
	third := "<loc>https://bills.example.org/sitemaps/bills-3.xml</loc>"
	if strings.Count(index, "<loc>") != 4 || !strings.Contains(index, third) {
		t.Errorf("index: %s", index)
	}
	var all strings.Builder
	for i := range 3 {
		got := s.do("GET", fmt.Sprintf("/sitemaps/bills-%d.xml", i+1), "")
		if n := strings.Count(string(got.body), "<url>"); got.StatusCode != http.StatusOK || n < 1 || n > 2 {
			t.Errorf("piece %d: %d, %d addresses", i+1, got.StatusCode, n)
		}
		all.Write(got.body)
	}
	for i := range 5 {
		want := fmt.Sprintf("<loc>https://bills.example.org/ui/bills/44-1/C-%d</loc>", i+2)
		if strings.Count(all.String(), want) != 1 {
			t.Errorf("%s is not there once", want)
		}
	}
	for _, piece := range []string{"bills-0.xml", "bills-4.xml", "bills-01.xml", "bills-1", "x.xml"} {
		if got := s.do("GET", "/sitemaps/"+piece, ""); got.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", piece, got.StatusCode)
		}
	}
	robots := string(s.do("GET", "/robots.txt", "").body)
	for _, want := range []string{
		"Disallow: /ui/\n", "Allow: /ui/bills\n", "Disallow: /runs$\n", "Disallow: /assets/\n", "Disallow: /riverui\n",
		"Sitemap: https://bills.example.org/sitemap.xml\n",
	} {
		if !strings.Contains(robots, want) {
			t.Errorf("robots.txt has no %q:\n%s", want, robots)
		}
	}
	if strings.Contains(robots, "Disallow: /bills") || strings.Contains(robots, "Disallow: /session$") {
		t.Errorf("robots.txt keeps readers out:\n%s", robots)
	}
}

// TestOnlyOnePageMayBeFramed checks who may frame which page.
func TestOnlyOnePageMayBeFramed(t *testing.T) {
	t.Parallel()
	s := public(t, access.PublicData, 0)
	s.saveBill("44-1", "C-11", "2022-02-02", "An Act about frames")
	for path, may := range map[string]bool{
		"/ui/embed/bills/44-1/C-11": true, "/ui/bills/44-1/C-11": false, "/ui/": false, "/ui/embed/bills/x/y": false,
		"/ui/embed": false, "/ui/embed/bills/44-1/C-11/x": false, "/ui/embed/runs/1": false, "/bills/44-1/C-11": false,
		"/docs/": false,
	} {
		header := s.do("GET", path, "").Header
		policy, frame := header.Get("Content-Security-Policy"), header.Get("X-Frame-Options")
		if may && (!strings.HasSuffix(policy, "frame-ancestors *") || frame != "" ||
			header.Get("Cross-Origin-Resource-Policy") != "cross-origin") ||
			!may && (!strings.Contains(policy, "frame-ancestors 'none'") || frame != "DENY") {
			t.Errorf("%s: %v", path, header)
		}
	}
}

// TestRiverUIHasAWayBack checks the header of River UI's pages.
func TestRiverUIHasAWayBack(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, path := range []string{"/riverui/", "/riverui/jobs"} {
		got := s.do("GET", path, "", "Accept", "text/html", "Range", "bytes=0-99")
		page := string(got.body)
		if got.StatusCode != http.StatusOK || strings.Count(page, `<a href="/ui/">`) != 1 ||
			!strings.Contains(page, `<div id="root"`) || !strings.HasSuffix(strings.TrimSpace(page), "</html>") {
			t.Errorf("%s: %d %s", path, got.StatusCode, page)
		}
	}
	if got := s.do("GET", "/riverui/api/queues", ""); strings.Contains(string(got.body), "way-back") {
		t.Errorf("the API has the header: %s", got.body)
	}
}
