// Package web contains the web UI: the TypeScript sources in src, and their build in dist, which is embedded in the
// binary. [Handler] serves the build. The UI reads all its data through the generated TypeScript SDK.
package web

import (
	"bytes"
	"embed"
	"io/fs"
	"net/http"
	"strings"
	"sync"

	"github.com/vearutop/statigz"
	"github.com/vearutop/statigz/brotli"
)

//go:embed all:dist
var dist embed.FS

// files serves the build. The build has each file compressed by brotli too; for clients without it, gzip compresses the
// files once, at the first request.
var files = sync.OnceValue(func() http.Handler {
	return statigz.FileServer(dist, statigz.FSPrefix("dist"), brotli.AddEncoding, statigz.EncodeOnInit)
})

// Handler serves the UI. The path of a request is relative to the mount point, such as "/" or "/runs/123". A path that
// is not a file gets the index page, so that links to pages of the UI work.
//
// A path that is not a file says what the Page of its context says; see WithPage.
//
// Handler writes the base address of the page relative to the request's path. So the UI works behind a proxy that adds
// a path before the mount point, without configuration.
func Handler() (http.Handler, error) {
	root, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil, err
	}
	index, err := fs.ReadFile(root, "index.html")
	if err != nil {
		return nil, err
	}
	if err := checkIndex(index); err != nil {
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
				if strings.HasPrefix(name, "static/") { // the name of a file contains a hash of its content
					w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
				} else {
					w.Header().Set("Cache-Control", "no-cache")
				}
				files().ServeHTTP(w, r)
				return
			}
			if strings.HasPrefix(name, "static/") { // a file of another version
				http.NotFound(w, r)
				return
			}
		}
		depth := strings.Count(r.URL.EscapedPath(), "/") - 1 // browsers do not treat an escaped slash as a separator
		serveIndex(w, r, index, depth)
	}), nil
}

// withBase sets the base address of the page to the mount point, which is depth folders above the request's path.
func withBase(index []byte, depth int) []byte {
	if depth <= 0 {
		return index
	}
	base := `<base href="` + strings.Repeat("../", depth) + `" />`
	return bytes.Replace(index, []byte(`<base href="./" />`), []byte(base), 1)
}
