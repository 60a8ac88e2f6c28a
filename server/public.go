package server

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// publicExtension is the extension of the contract that has the least PUBLIC_READ at which an operation needs neither a
// key nor a session.
const publicExtension = "x-public-read"

// publicAge is how many seconds any cache may hold a response to a reader, who has neither a key nor a session.
const publicAge = 60

// readerKey marks a request of a reader.
const readerKey = "reader"

func isReader(c echo.Context) bool {
	is, _ := c.Get(readerKey).(bool)
	return is
}

// permit is what a request needs.
type permit struct {
	scope access.Scope
	// public is the least PUBLIC_READ that opens the operation to readers; PublicNone: none does.
	public access.PublicRead
}

// permitOf returns what the contract requires for an operation.
func permitOf(method string, op *openapi3.Operation) (permit, error) {
	scope, err := scopeOf(op)
	if err != nil {
		return permit{}, err
	}
	p := permit{scope: scope, public: access.PublicNone}
	given, ok := op.Extensions[publicExtension]
	if !ok {
		return p, nil
	}
	text, _ := given.(string)
	p.public = access.PublicRead(text)
	if p.public != access.PublicData && p.public != access.PublicAll || method != http.MethodGet ||
		scope != access.ScopeRead {
		return p, fmt.Errorf(
			"operation %s: %s is %v: want data or all, of a GET with the scope read", op.OperationID, publicExtension, given,
		)
	}
	return p, nil
}

// reads reports whether a request is a reader's that PUBLIC_READ allows. A key that is not valid is refused, so that
// its owner notices. A browser sends the cookie of an ended session with every request, and may read on.
func (s *Server) reads(c echo.Context, p permit) bool {
	return identityOf(c) == nil && c.Request().Header.Get(echo.HeaderAuthorization) == "" &&
		s.cfg.Access.Public(p.public)
}

// forReaders gives readers a place in admission.readers, and makes responses of data cacheable: by any cache those to
// readers, by private caches those to keys and sessions.
func (s *Server) forReaders(operation string, p permit, next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if p.scope == access.ScopeNone || p.scope == access.ScopeSignature {
			return next(c)
		}
		data := p.public == access.PublicData
		if !s.cfg.Access.Required() {
			if data {
				return cacheable(c, "no-cache", next)
			}
			return next(c)
		}
		c.Response().Before(func() { varyByCredentials(c.Response().Header()) })
		if !isReader(c) {
			if data {
				return cacheable(c, "private, no-cache", next)
			}
			c.Response().Before(func() { keepPrivate(c.Response().Header()) })
			return next(c)
		}
		leave, err := s.admission.read(c, operation)
		if err != nil {
			return err
		}
		defer leave()
		if !data {
			c.Response().Before(func() { keepFresh(c.Response().Header()) })
			return next(c)
		}
		return cacheable(c, fmt.Sprintf("public, max-age=%d", publicAge), next)
	}
}

// keepPrivate keeps a response out of caches that several people share.
func keepPrivate(header http.Header) {
	given := header.Get(echo.HeaderCacheControl)
	switch {
	case given == "":
		header.Set(echo.HeaderCacheControl, "private")
	case !strings.Contains(given, "private") && !strings.Contains(given, "no-store"):
		header.Set(echo.HeaderCacheControl, "private, "+given)
	}
}

// keepFresh makes caches revalidate a response about the pipeline, which changes at any moment.
func keepFresh(header http.Header) {
	if header.Get(echo.HeaderCacheControl) == "" {
		header.Set(echo.HeaderCacheControl, "no-cache")
	}
}

func varyByCredentials(header http.Header) {
	header.Add(echo.HeaderVary, echo.HeaderAuthorization+", "+echo.HeaderCookie)
}

// cacheable answers so that caches may hold the response as control, the Cache-Control of it, says. A response without
// an ETag gets that of its body, which is in memory for that; the reservation for the list covers it.
func cacheable(c echo.Context, control string, next echo.HandlerFunc) error {
	response := c.Response()
	w := &cacheWriter{ResponseWriter: response.Writer, request: c.Request(), control: control}
	response.Writer = w
	defer func() { response.Writer = w.ResponseWriter }()
	if err := next(c); err != nil {
		if w.held != nil { // nothing of the response was sent
			w.held, w.began, response.Committed = nil, false, false
		}
		if !response.Committed {
			response.Header().Set(echo.HeaderCacheControl, "no-store")
		}
		return err
	}
	return w.end(response)
}

// cacheWriter sets the headers of a cacheable response.
type cacheWriter struct {
	http.ResponseWriter
	request *http.Request
	control string // Cache-Control of the response
	began   bool
	held    *bytes.Buffer // nil: the body is not held back
}

// WriteHeader implements http.ResponseWriter.
func (w *cacheWriter) WriteHeader(status int) {
	if w.began {
		return
	}
	w.began = true
	header := w.Header()
	switch {
	case status == http.StatusOK && header.Get("ETag") == "":
		w.held = &bytes.Buffer{}
		return
	case status == http.StatusOK || status == http.StatusNotModified:
		header.Set(echo.HeaderCacheControl, w.control)
	default:
		header.Set(echo.HeaderCacheControl, "no-store")
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *cacheWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.held != nil {
		return w.held.Write(b)
	}
	return w.ResponseWriter.Write(b)
}

// FlushError flushes what is not held back. http.ResponseController calls it.
func (w *cacheWriter) FlushError() error {
	if w.held != nil {
		return nil
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController set deadlines.
func (w *cacheWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// end sends the body that was held back, or 304 if the reader has it.
func (w *cacheWriter) end(response *echo.Response) error {
	if w.held == nil {
		return nil
	}
	body := w.held.Bytes()
	w.held = nil
	header, tag := w.Header(), tagOf(body)
	header.Set("ETag", tag)
	header.Set(echo.HeaderCacheControl, w.control)
	if given := w.request.Header.Get("If-None-Match"); matches(&given, tag) {
		header.Del(echo.HeaderContentType)
		response.Status = http.StatusNotModified
		w.ResponseWriter.WriteHeader(http.StatusNotModified)
		return nil
	}
	w.ResponseWriter.WriteHeader(http.StatusOK)
	_, err := w.ResponseWriter.Write(body)
	return err
}
