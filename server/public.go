package server

import (
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
	response, header := c.Response(), c.Response().Header()
	w := &heldWriter{ResponseWriter: response.Writer, hold: func(status int) bool {
		switch {
		case status == http.StatusOK && header.Get("ETag") == "":
			return true
		case status == http.StatusOK || status == http.StatusNotModified:
			header.Set(echo.HeaderCacheControl, control)
		default:
			header.Set(echo.HeaderCacheControl, "no-store")
		}
		return false
	}}
	response.Writer = w
	defer func() { response.Writer = w.ResponseWriter }()
	if err := next(c); err != nil {
		if w.held != nil { // nothing of the response was sent
			w.held, w.began, response.Committed = nil, false, false
		}
		if !response.Committed {
			header.Set(echo.HeaderCacheControl, "no-store")
		}
		return err
	}
	if w.held == nil {
		return nil
	}
	body := w.held.Bytes()
	tag := tagOf(body)
	header.Set("ETag", tag)
	header.Set(echo.HeaderCacheControl, control)
	if given := c.Request().Header.Get("If-None-Match"); matches(&given, tag) {
		header.Del(echo.HeaderContentType)
		response.Status = http.StatusNotModified
		w.ResponseWriter.WriteHeader(http.StatusNotModified)
		return nil
	}
	return w.send(body)
}
