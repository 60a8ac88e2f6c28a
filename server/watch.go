package server

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// endGrace is how long an answer may take to end by itself once its key or session has ended.
const endGrace = 500 * time.Millisecond

// watch ends what is being answered once the key or the session of the request ends: event streams, exports, profiles.
// What would change something finishes what it began.
func (s *Server) watch(c echo.Context, scope access.Scope, next echo.HandlerFunc) error {
	r, who := c.Request(), identityOf(c)
	if who == nil || r.Method != http.MethodGet || scope == access.ScopeNone || scope == access.ScopeSignature {
		return next(c)
	}
	ctx, unwatch := s.cfg.Access.Watch(r.Context(), who, scope)
	c.SetRequest(r.WithContext(ctx))
	var (
		mu   sync.Mutex
		done bool
		late *time.Timer
	)
	// Who waits for a client that does not read sees no context end: what they write fails instead.
	undo := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		if done || !access.Ended(ctx) {
			return
		}
		late = time.AfterFunc(endGrace, func() {
			mu.Lock()
			defer mu.Unlock()
			if !done { // else the connection may have gone on to another request
				connectionOf(ctx).answerWithin(0) // whatever is written from now on
				_ = http.NewResponseController(c.Response()).SetWriteDeadline(time.Now())
			}
		})
	})
	defer func() {
		undo()
		mu.Lock()
		done = true
		if late != nil {
			late.Stop()
		}
		mu.Unlock()
		unwatch()
		c.SetRequest(c.Request().WithContext(r.Context())) // whoever comes next is not to find it ended
	}()
	err := next(c)
	if err != nil && access.Ended(ctx) && !c.Response().Committed {
		return unauthorized(c.Response().Header(), "the key or session of this request has ended")
	}
	return err
}
