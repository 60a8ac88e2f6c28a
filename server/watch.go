package server

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// endGrace is how long an answer may take to end on its own after its key or session has ended.
const endGrace = 500 * time.Millisecond

// watch ends an answer in progress, such as an event stream, an export or a profile, once the key or session of the
// request ends. Requests that change something are completed.
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
	// A handler that is blocked in a write to a slow client does not notice the canceled context, so its write must
	// fail.
	undo := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		if done || !access.Ended(ctx) {
			return
		}
		late = time.AfterFunc(endGrace, func() {
			mu.Lock()
			defer mu.Unlock()
			if !done { // otherwise the connection may serve another request by now
				limitOfAnswer(ctx).within(0) // all later writes fail
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
		c.SetRequest(c.Request().WithContext(r.Context())) // outer middleware must not see a canceled context
	}()
	err := next(c)
	if err != nil && access.Ended(ctx) && !c.Response().Committed {
		return unauthorized(c.Response().Header(), "the key or session of this request has ended")
	}
	return err
}
