package server_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// leadingElsewhere are the rows of the table of paths that lead elsewhere.
func leadingElsewhere(t *testing.T) []string {
	t.Helper()
	raw, err := os.ReadFile("access/testdata/same_site.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Path string
		Same bool
	}
	if err := json.Unmarshal(raw, &rows); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, row := range rows {
		if !row.Same {
			out = append(out, row.Path)
		}
	}
	return out
}

// TestSignInsReturnHere signs somebody in at the provider with each path of the table, and with each as it would be
// typed.
func TestSignInsReturnHere(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	p.roles["ada"] = []string{"read"}
	p.person = "ada"
	s := guarded(t, func(c *access.Config) { c.OIDC = p.config() })
	b := s.browser()
	begun := 0
	for _, path := range leadingElsewhere(t) {
		for _, query := range []string{
			url.QueryEscape(path),
			strings.NewReplacer(" ", "%20", "\t", "%09", "\n", "%0A", "\r", "%0D", "#", "%23").Replace(path),
		} {
			target := s.url + "/session/oidc?return_to=" + query
			if _, err := url.Parse(target); err != nil {
				continue
			}
			begin := b.do("GET", target, "")
			if begin.StatusCode != http.StatusFound {
				if begin.StatusCode != http.StatusUnprocessableEntity && begin.StatusCode != http.StatusBadRequest {
					t.Errorf("%.60q: %d %s", path, begin.StatusCode, begin.body)
				}
				continue
			}
			begun++
			at, err := url.Parse(b.do("GET", begin.Header.Get("Location"), "").Header.Get("Location"))
			if err != nil {
				t.Fatal(err)
			}
			to := b.do("GET", at.RequestURI(), "").Header.Get("Location")
			if decoded, err := url.QueryUnescape(query); to != access.HomePath &&
				(err != nil || access.SamePath(decoded) != to) {
				t.Errorf("%.60q leads to %q", path, to)
			}
		}
	}
	if begun < 20 {
		t.Errorf("only %d sign-ins began", begun)
	}
}

// TestRedirectsStayHere asks for odd paths as they are, without a client that tidies them up.
func TestRedirectsStayHere(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	host := strings.TrimPrefix(s.url, "http://")
	targets := []string{"/", "/ui", "/docs", "/riverui", "/riverui/"}
	for _, path := range append(leadingElsewhere(t), "//evil.example/..", "/..//evil.example") {
		path = strings.NewReplacer(" ", "%20", "\t", "%09", "\n", "%0A", "\r", "%0D", "\x00", "%00").Replace(path)
		for _, before := range []string{"", "/ui", "/docs", "/riverui", "/ui/sign-in?return_to=", "/riverui/?next="} {
			targets = append(targets, before+path, before+path+"/..", before+"/"+path+"?//evil.example")
		}
		targets = append(targets, path+"/ui", path+"/docs", path+"/riverui", path+"/riverui/")
	}
	redirects := 0
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { conn.Close() }()
	r := bufio.NewReader(conn)
	for _, target := range targets {
		if !strings.HasPrefix(target, "/") || len(target) > 3000 ||
			strings.ContainsFunc(target, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
			continue
		}
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: text/html\r\n\r\n", target, host)
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("%s: %v", target, err)
		}
		resp.Body.Close()
		if resp.Close { // it was no request at all
			conn.Close()
			if conn, err = net.Dial("tcp", host); err != nil {
				t.Fatal(err)
			}
			r.Reset(conn)
		}
		location := resp.Header.Get("Location")
		if location == "" {
			continue
		}
		redirects++
		base := &url.URL{Scheme: "http", Host: host, Path: target}
		if !strings.HasPrefix(target, "//") {
			if base, err = url.Parse("http://" + host + target); err != nil {
				continue
			}
		}
		// As browsers do.
		to, err := base.Parse(strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(location))
		if err != nil || to.Host != host || strings.HasPrefix(to.Path, "//") {
			t.Errorf("%s leads to %q", target, location)
		}
	}
	if redirects < 20 {
		t.Errorf("only %d redirects", redirects)
	}
}
