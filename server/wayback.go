package server

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// wayBack is the header of River UI's pages, with a link to the web UI. River UI is another program's, so the header
// brings its own styles, and moves what River UI fixes to the top of the window.
const wayBack = `<style>
#way-back { position: fixed; inset: 0 0 auto 0; z-index: 60; box-sizing: border-box; height: 2.25rem; display: flex;
  align-items: center; gap: 1rem; padding: 0 1rem; font: 0.875rem/1.25 system-ui, sans-serif; background: #1e293b;
  color: #e2e8f0; }
#way-back a { color: #fff; font-weight: 600; text-decoration: underline; text-underline-offset: 0.2em; }
body { box-sizing: border-box; padding-top: 2.25rem; }
.lg\:inset-y-0, .sticky.top-0 { top: 2.25rem !important; }
@media print { #way-back { display: none; } body { padding-top: 0; } }
</style>
<header id="way-back"><a href="/ui/">← Parliament Explorer</a><span>River UI</span></header>
`

// withWayBack adds wayBack to the pages of a handler. Its other answers are not changed.
func withWayBack(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || strings.HasPrefix(r.URL.Path, "/riverui/api/") ||
			strings.HasPrefix(r.URL.Path, "/riverui/assets/") {
			next.ServeHTTP(w, r)
			return
		}
		r.Header.Del("Range") // the page is longer than River UI knows
		header := w.Header()
		page := &heldWriter{ResponseWriter: w, hold: func(status int) bool {
			if status != http.StatusOK || !strings.HasPrefix(header.Get(echo.HeaderContentType), "text/html") ||
				header.Get(echo.HeaderContentEncoding) != "" {
				return false
			}
			header.Del(echo.HeaderContentLength)
			header.Del("Accept-Ranges")
			return true
		}}
		next.ServeHTTP(page, r)
		if page.held != nil {
			_ = page.send(addWayBack(page.held.Bytes())) // the client left
		}
	})
}

// addWayBack adds wayBack at the start of a page's body.
func addWayBack(page []byte) []byte {
	i := bytes.Index(page, []byte("<body"))
	if i < 0 {
		return page
	}
	j := bytes.IndexByte(page[i:], '>')
	if j < 0 {
		return page
	}
	at := i + j + 1
	return bytes.Join([][]byte{page[:at], page[at:]}, []byte(wayBack))
}
