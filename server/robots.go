package server

import (
	"context"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/sync/singleflight"

	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

const (
	// sitemapPiece is how many addresses a file of the sitemap has at most.
	// source: https://www.sitemaps.org/protocol.html
	sitemapPiece = 50_000
	// sitemapAge is how long the list of bills is used before it is read again.
	sitemapAge = 10 * time.Minute
	// sitemapTime bounds the reading of the list.
	sitemapTime = 20 * time.Second
	// sitemapPage is how many bills are read by one statement.
	sitemapPage = 10_000
)

// sitemap is the list of the addresses that search engines may list. It holds the bills for sitemapAge.
type sitemap struct {
	store *parliament.Store
	reads singleflight.Group
	piece int

	mu    sync.Mutex
	at    time.Time
	bills []parliament.BillPlace
}

// mountRobots mounts what search engines read first.
func (s *Server) mountRobots() error {
	rules, err := s.robots()
	if err != nil {
		return err
	}
	m := &sitemap{store: s.cfg.Store, piece: sitemapPiece}
	if s.cfg.sitemapPiece > 0 {
		m.piece = s.cfg.sitemapPiece
	}
	s.echo.GET("/robots.txt", func(c echo.Context) error {
		text := rules
		if s.indexed() {
			text += "\nSitemap: " + baseAddress(s.cfg.PublicURL, c.Request()) + "/sitemap.xml\n"
		}
		c.Response().Header().Set(echo.HeaderCacheControl, fmt.Sprintf("public, max-age=%d", publicAge))
		return c.Blob(http.StatusOK, "text/plain; charset=utf-8", []byte(text))
	})
	s.echo.GET("/sitemap.xml", s.forCrawlers(m.index))
	s.echo.GET("/sitemaps/:piece", s.forCrawlers(m.part))
	return nil
}

// indexed reports whether search engines may list the pages for readers.
func (s *Server) indexed() bool { return s.cfg.Access.PublicReading() != access.PublicNone }

// robots returns the rules for search engines: the pages for readers and the operations that they use, or nothing
// without PUBLIC_READ. Operations of the pipeline are never listed.
func (s *Server) robots() (string, error) {
	if !s.indexed() {
		return "User-agent: *\nDisallow: /\n", nil
	}
	spec, err := contract()
	if err != nil {
		return "", err
	}
	readable := map[string]bool{} // by the first part of the path
	for path, item := range spec.Paths.Map() {
		first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		readable[first] = readable[first] || false
		for method, op := range item.Operations() {
			p, err := permitOf(method, op)
			if err != nil {
				return "", err
			}
			if p.public == access.PublicData || op.OperationID == "getSession" {
				readable[first] = true
			}
		}
	}
	var b strings.Builder
	b.WriteString("User-agent: *\nDisallow: /ui/\nAllow: /ui/$\nAllow: /ui/?lang=\nAllow: /ui/static/\n" +
		"Allow: /ui/theme.js\nAllow: /ui/icon.svg\n")
	for _, page := range slices.Sorted(maps.Keys(readerPages)) {
		fmt.Fprintf(&b, "Allow: /ui/%s\n", page)
	}
	b.WriteString("Disallow: /riverui\nDisallow: /debug/\nDisallow: /docs\n")
	for _, first := range slices.Sorted(maps.Keys(readable)) {
		if !readable[first] {
			fmt.Fprintf(&b, "Disallow: /%s$\nDisallow: /%s/\nDisallow: /%s?\n", first, first, first)
		}
	}
	return b.String(), nil
}

// forCrawlers answers 404 without PUBLIC_READ, and applies the limits of readers.
func (s *Server) forCrawlers(next func(c echo.Context, base string) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !s.indexed() {
			return echo.ErrNotFound
		}
		header := c.Response().Header()
		if s.cfg.Access.Required() {
			if err := s.cfg.Access.AllowReader(header, c.RealIP()); err != nil {
				return err
			}
			leave, err := s.admission.read(c, "sitemap")
			if err != nil {
				return err
			}
			defer leave()
		}
		return next(c, baseAddress(s.cfg.PublicURL, c.Request()))
	}
}

// all returns the bills. Requests that come meanwhile wait for the same reading.
func (m *sitemap) all(ctx context.Context) ([]parliament.BillPlace, error) {
	m.mu.Lock()
	bills, fresh := m.bills, time.Since(m.at) < sitemapAge
	m.mu.Unlock()
	if fresh {
		return bills, nil
	}
	got, err, _ := m.reads.Do("bills", func() (any, error) {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), sitemapTime)
		defer cancel()
		var all []parliament.BillPlace
		for after := ""; ; {
			some, err := m.store.BillPlaces(limited, after, sitemapPage)
			if err != nil {
				return all, err
			}
			if all = append(all, some...); len(some) < sitemapPage {
				break
			}
			after = some[len(some)-1].ID
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.bills, m.at = all, time.Now()
		return all, nil
	})
	bills, _ = got.([]parliament.BillPlace)
	return bills, err
}

type sitemapEntry struct {
	Loc     string `xml:"loc"`
	LastMod string `xml:"lastmod,omitempty"`
}

const sitemapSpace = "http://www.sitemaps.org/schemas/sitemap/0.9"

// index lists the files of the sitemap.
func (m *sitemap) index(c echo.Context, base string) error {
	bills, err := m.all(c.Request().Context())
	if err != nil {
		return err
	}
	files := []sitemapEntry{{Loc: base + "/sitemaps/pages.xml"}}
	for i := range (len(bills) + m.piece - 1) / m.piece {
		files = append(files, sitemapEntry{Loc: fmt.Sprintf("%s/sitemaps/bills-%d.xml", base, i+1)})
	}
	return sendXML(c, struct {
		XMLName xml.Name       `xml:"sitemapindex"`
		Space   string         `xml:"xmlns,attr"`
		Files   []sitemapEntry `xml:"sitemap"`
	}{Space: sitemapSpace, Files: files})
}

// part is one file of the sitemap.
func (m *sitemap) part(c echo.Context, base string) error {
	var entries []sitemapEntry
	if c.Param("piece") == "pages.xml" {
		for _, page := range slices.Sorted(maps.Keys(readerPages)) {
			entries = append(entries, sitemapEntry{Loc: base + "/ui/" + page})
		}
	} else {
		bills, err := m.all(c.Request().Context())
		if err != nil {
			return err
		}
		text, isBills := strings.CutPrefix(strings.TrimSuffix(c.Param("piece"), ".xml"), "bills-")
		n, err := strconv.Atoi(text)
		if !isBills || err != nil || n < 1 || n > (len(bills)+m.piece-1)/m.piece || c.Param("piece") !=
			fmt.Sprintf("bills-%d.xml", n) {
			return echo.ErrNotFound
		}
		for _, b := range bills[(n-1)*m.piece : min(n*m.piece, len(bills))] {
			entries = append(entries, sitemapEntry{
				Loc: base + "/ui/bills/" + escapedPath(b.ID), LastMod: b.UpdatedAt.UTC().Format(time.RFC3339),
			})
		}
	}
	return sendXML(c, struct {
		XMLName xml.Name       `xml:"urlset"`
		Space   string         `xml:"xmlns,attr"`
		Entries []sitemapEntry `xml:"url"`
	}{Space: sitemapSpace, Entries: entries})
}

// sendXML sends XML that any cache may hold.
func sendXML(c echo.Context, v any) error {
	body, err := xml.Marshal(v)
	if err != nil {
		return err
	}
	body = append([]byte(xml.Header), body...)
	header, tag := c.Response().Header(), tagOf(body)
	header.Set("ETag", tag)
	header.Set(echo.HeaderCacheControl, fmt.Sprintf("public, max-age=%d", publicAge))
	if given := c.Request().Header.Get("If-None-Match"); matches(&given, tag) {
		return c.NoContent(http.StatusNotModified)
	}
	return c.Blob(http.StatusOK, "application/xml; charset=utf-8", body)
}
