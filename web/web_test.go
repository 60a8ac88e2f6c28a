package web_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"

	"github.com/parliament-explorer/parliament-explorer/web"
)

func get(t *testing.T, method, path string, headers ...string) *http.Response {
	t.Helper()
	h, err := web.Handler()
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(method, path, http.NoBody)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPagesAreRelativeToTheMountPoint(t *testing.T) {
	t.Parallel()
	escape := strings.NewReplacer(`"`, "%22", "<", "%3C", ">", "%3E").Replace
	for path, base := range map[string]string{
		"/": "./", "/index.html": "./", "/runs": "./", "/assets": "./", "/runs/0197841c": "../",
		"/bills/44-1/C-11": "../../", `/a/"><script>/b`: "../../",
	} {
		resp := get(t, "GET", "/"+strings.TrimPrefix(escape(path), "/"))
		page := body(t, resp.Body)
		isPage := strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html")
		if resp.StatusCode != 200 || !isPage || !strings.Contains(page, `<base href="`+base+`" />`) {
			t.Errorf("%s: %d, want a page with base %s", path, resp.StatusCode, base)
		}
		if resp.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: Cache-Control %q", path, resp.Header.Get("Cache-Control"))
		}
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	page := body(t, get(t, "GET", "/").Body)
	script := regexp.MustCompile(`\./(static/index-[^"]+\.js)`).FindStringSubmatch(page)
	if script == nil {
		t.Fatalf("no script in %s", page)
	}
	if strings.Contains(page, "http://") || strings.Contains(page, "https://") {
		t.Error("the page names another host")
	}
	resp := get(t, "GET", "/"+script[1], "Accept-Encoding", "gzip")
	if resp.StatusCode != 200 || resp.Header.Get("Content-Encoding") != "gzip" ||
		!strings.Contains(resp.Header.Get("Cache-Control"), "immutable") {
		t.Fatalf("script: %d %v", resp.StatusCode, resp.Header)
	}
	z, err := gzip.NewReader(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(body(t, z), "createRoot") {
		t.Error("the script is not the application")
	}
	tag := resp.Header.Get("Etag")
	if get(t, "GET", "/"+script[1], "Accept-Encoding", "gzip", "If-None-Match", tag).StatusCode != 304 {
		t.Error("unchanged, but not 304")
	}
	// The build has it smaller, for browsers that know brotli, and the file itself for clients that know nothing.
	small := get(t, "GET", "/"+script[1], "Accept-Encoding", "gzip, deflate, br, zstd")
	if small.Header.Get("Content-Encoding") != "br" || small.ContentLength <= 0 ||
		small.ContentLength*100 > resp.ContentLength*90 {
		t.Errorf("%d bytes by brotli, %d by gzip: %v", small.ContentLength, resp.ContentLength, small.Header)
	}
	plain := body(t, get(t, "GET", "/"+script[1], "Accept-Encoding", "identity").Body)
	if body(t, brotli.NewReader(small.Body)) != plain || !strings.Contains(plain, "createRoot") {
		t.Error("what is compressed is not the file")
	}
	for path, status := range map[string]int{"/static/index-gone.js": 404, "/icon.svg": 200, "/theme.js": 200} {
		if got := get(t, "GET", path).StatusCode; got != status {
			t.Errorf("%s: %d, want %d", path, got, status)
		}
	}
	if got := get(t, "POST", "/"); got.StatusCode != 405 || got.Header.Get("Allow") == "" {
		t.Errorf("POST: %d", got.StatusCode)
	}
}
