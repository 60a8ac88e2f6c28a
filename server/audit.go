package server

import (
	"context"
	"net/http"
	"regexp"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// entryKey is the key of the id of the request's audit entry.
const entryKey = "audit_entry"

// recorded reports whether a request has an entry in the audit log. Requests that change something do, and all
// sign-ins. Webhook events are records themselves: they are stored before they are handled.
func recorded(operation, method string) bool {
	switch operation {
	case "", "receiveWebhook":
		return false
	case "beginSignIn", "completeSignIn":
		return true
	}
	return method != http.MethodGet && method != http.MethodHead
}

// record writes the audit entry of a request before it is handled, or before it starts a run. If the entry cannot be
// written, the request changes nothing. record is the last middleware before the handler; requests that earlier
// middleware refuses get their entry from recordRefused.
func (s *Server) record(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		operation, _ := c.Get(operationKey).(string)
		r := c.Request()
		if !recorded(operation, r.Method) {
			return next(c)
		}
		begin := func(who *access.Identity) error {
			entry := s.entry(c)
			entry.Who = who
			id, err := s.cfg.Access.Begin(r.Context(), entry)
			if err == nil {
				c.Set(entryKey, id)
			}
			return err
		}
		if operation == "signIn" || operation == "completeSignIn" {
			// A failed sign-in changes nothing and is recorded as refused.
			c.SetRequest(r.WithContext(access.WhenProven(r.Context(), begin)))
			return next(c)
		}
		who := identityOf(c)
		if scope, _ := c.Get(scopeKey).(access.Scope); who == nil && scope == access.ScopeNone &&
			s.cfg.Access.Required() {
			if err := s.cfg.Access.Stranger(remoteAddress(c)); err != nil {
				return err
			}
		}
		if startsRun[operation] && s.cfg.DB.Relaxed != s.cfg.DB.Pool {
			return s.recordMeanwhile(c, next)
		}
		if err := begin(who); err != nil {
			return err
		}
		return next(c)
	}
}

// startsRun has the operations that start a run, with a runRequest. Their audit entry is written while the run is; the
// one is committed before the other is.
var startsRun = map[string]bool{"materializeAsset": true, "startJobRun": true, "startRun": true, "retryRun": true}

// recordMeanwhile writes the audit entry of a request while it is handled. The handler does nothing for good until the
// entry is written; see begunOf.
func (s *Server) recordMeanwhile(c echo.Context, next echo.HandlerFunc) (err error) {
	r, entry := c.Request(), s.entry(c)
	var id int64
	var failed error
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil { // recoverPanic is in another goroutine
				failed = &panicError{value: p, stack: stack()}
			}
		}()
		id, failed = s.cfg.Access.Begin(r.Context(), entry)
	}()
	defer func() {
		if <-done; failed != nil {
			err = failed
		} else {
			c.Set(entryKey, id)
		}
	}()
	begun := func(ctx context.Context) error {
		select {
		case <-done:
			return failed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	c.SetRequest(r.WithContext(context.WithValue(r.Context(), begunKey{}, begun)))
	return next(c)
}

type begunKey struct{}

// begunOf returns a function that waits until the audit entry of the request is written, and returns an error, such as
// an *access.AuditError, if it is not; nil if there is nothing to wait for.
func begunOf(ctx context.Context) func(context.Context) error {
	begun, _ := ctx.Value(begunKey{}).(func(context.Context) error)
	return begun
}

// recordRefused writes the audit entry of a request that was refused before it was handled, and returns the error to
// answer with. If the entry cannot be written, that is the error.
func (s *Server) recordRefused(c echo.Context, err error) error {
	operation, _ := c.Get(operationKey).(string)
	if c.Get(entryKey) != nil || !recorded(operation, c.Request().Method) {
		return err
	}
	entry := s.entry(c)
	entry.Status = c.Response().Status
	if err != nil && !c.Response().Committed {
		entry.Status = problemOf(err, "").status
	}
	if entry.Status == http.StatusTooManyRequests {
		return err
	}
	if failed := s.cfg.Access.Refused(c.Request().Context(), entry); failed != nil {
		return failed
	}
	return err
}

// recordEnd completes the audit entry of a request that has been answered.
func (s *Server) recordEnd(c echo.Context) {
	id, begun := c.Get(entryKey).(int64)
	if !begun {
		return
	}
	entry := s.entry(c)
	entry.Status = c.Response().Status
	s.cfg.Access.Complete(c.Request().Context(), id, entry)
}

// entry returns the audit entry of a request.
func (s *Server) entry(c echo.Context) access.Entry {
	r := c.Request()
	operation, _ := c.Get(operationKey).(string)
	path := r.URL.Path
	if r.Method == http.MethodDelete && r.URL.RawQuery != "" { // the query names what was deleted
		path += "?" + r.URL.RawQuery
	}
	return access.Entry{
		Operation: operation, Method: methodOf(r), Path: path, Remote: remoteAddress(c), RequestID: requestID(c),
		Client: r.UserAgent(), Who: identityOf(c),
	}
}

func auditEntry(r access.Audit) api.AuditEntry {
	e := api.AuditEntry{
		ID: r.ID, At: r.At, Actor: r.Actor, KeyID: r.KeyID, Operation: r.Operation, Method: r.Method, Path: r.Path,
		Status: r.Status, RemoteAddress: r.RemoteAddress,
		RequestID: r.RequestID, Issuer: notEmpty(r.Issuer), Subject: notEmpty(r.Subject),
		ClaimedName: notEmpty(r.ClaimedName), Client: notEmpty(r.Client),
	}
	if r.More > 0 {
		e.More = ptr(r.More)
	}
	return e
}

func notEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// remoteAddress returns the client's address, through trusted proxies: an IP address, or "unknown".
func remoteAddress(c echo.Context) string { return access.RemoteAddress(c.RealIP()) }

// requestIDForm is the form of a request id that a client may choose.
var requestIDForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// withRequestID gives every request an id: the client's, if it has the form requestIDForm.
func withRequestID(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := c.Request().Header.Get(echo.HeaderXRequestID)
		if !requestIDForm.MatchString(id) {
			id = uuid.NewString()
			c.Request().Header.Set(echo.HeaderXRequestID, id)
		}
		c.Response().Header().Set(echo.HeaderXRequestID, id)
		return next(c)
	}
}
