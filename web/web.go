// Package web is the user interface: its sources in TypeScript, and the build of them that the binary carries. It gets
// all its data through the generated TypeScript SDK.
package web

import (
	"bytes"
	"embed"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/vearutop/statigz"
)

//go:embed all:dist
var dist embed.FS

// files serves the build, compressed at the first request.
var files = sync.OnceValue(func() http.Handler {
	return statigz.FileServer(dist, statigz.FSPrefix("dist"), statigz.EncodeOnInit)
})

// Handler serves the user interface for requests whose path begins after the place where it is mounted: "/" or
// "/runs/123". Any path that is no file is a page of the application, so that deep links work.
//
// The page's base address is written relative to the path asked for. So it works behind a proxy that adds a path
// before the mount point, without being told.
func Handler() (http.Handler, error) {
	root, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil, err
	}
	index, err := fs.ReadFile(root, "index.html")
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
			return
		}
		name := strings.TrimPrefix(r.URL.Path, "/")
		if name != "" && name != "index.html" {
			if info, err := fs.Stat(root, name); err == nil && !info.IsDir() {
				if strings.HasPrefix(name, "static/") { // their names change with their content
					w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
				} else {
					w.Header().Set("Cache-Control", "no-cache")
				}
				files().ServeHTTP(w, r)
				return
			}
			if strings.HasPrefix(name, "static/") { // of another version: not a page
				http.NotFound(w, r)
				return
			}
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
		depth := strings.Count(r.URL.EscapedPath(), "/") - 1 // an escaped slash is none to the browser
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(withBase(index, depth)))
	}), nil
}

// withBase makes the page's addresses relative to the mount point, which is so many folders up.
func withBase(index []byte, depth int) []byte {
	if depth <= 0 {
		return index
	}
	return bytes.Replace(index, []byte(`<base href="./" />`), []byte(`<base href="`+strings.Repeat("../", depth)+`" />`), 1)
}
