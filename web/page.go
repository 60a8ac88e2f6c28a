package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"time"
)

// Page is what the HTML of a page says about itself. An empty field leaves what the build says.
type Page struct {
	// Status is the status of the response; 0 means 200.
	Status int
	// Lang is the language of the texts: "en" or "fr".
	Lang string
	// Title and Description are plain text.
	Title, Description string
	// Head is HTML to add to the head.
	Head string
}

type pageKey struct{}

// WithPage returns a context in which Handler serves the index page with what p says.
func WithPage(ctx context.Context, p Page) context.Context {
	return context.WithValue(ctx, pageKey{}, p)
}

// The parts of the index page that a Page replaces.
var (
	langPart        = regexp.MustCompile(`<html lang="[^"]*"`)
	titlePart       = regexp.MustCompile(`<title>[^<]*</title>`)
	descriptionPart = regexp.MustCompile(`<meta name="description" content="[^"]*" ?/?>`)
	headEnd         = []byte("</head>")
)

// checkIndex returns an error if a part that a Page replaces is missing.
func checkIndex(index []byte) error {
	for _, part := range []*regexp.Regexp{langPart, titlePart, descriptionPart} {
		if !part.Match(index) {
			return fmt.Errorf("index.html has no %s", part)
		}
	}
	if !bytes.Contains(index, headEnd) {
		return fmt.Errorf("index.html has no %s", headEnd)
	}
	return nil
}

// apply writes what the page says into the index page.
func (p Page) apply(index []byte) []byte {
	replace := func(part *regexp.Regexp, text, format string) {
		if text != "" {
			index = part.ReplaceAllLiteral(index, fmt.Appendf(nil, format, html.EscapeString(text)))
		}
	}
	replace(langPart, p.Lang, `<html lang="%s"`)
	replace(titlePart, p.Title, `<title>%s</title>`)
	replace(descriptionPart, p.Description, `<meta name="description" content="%s" />`)
	if p.Head != "" {
		index = bytes.Replace(index, headEnd, append([]byte(p.Head), headEnd...), 1)
	}
	return index
}

// serveIndex serves the index page at a path depth folders below the mount point.
func serveIndex(w http.ResponseWriter, r *http.Request, index []byte, depth int) {
	p, _ := r.Context().Value(pageKey{}).(Page)
	page := withBase(p.apply(index), depth)
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-cache")
	if p.Status != 0 && p.Status != http.StatusOK {
		w.WriteHeader(p.Status)
		if r.Method != http.MethodHead {
			_, _ = w.Write(page) //nolint:gosec // apply escapes the texts; an error means that the client left
		}
		return
	}
	sum := sha256.Sum256(page)
	header.Set("ETag", `W/"`+base64.RawURLEncoding.EncodeToString(sum[:12])+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(page))
}
