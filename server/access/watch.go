package access

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/server/access/internal/sql"
)

// watchEvery is the interval of the checks of the keys and sessions of requests in progress. A request that ends only
// after two checks, or after a write that times out, still ends within two seconds.
const watchEvery = 500 * time.Millisecond

// errEnded is the cause of a request's end when its key or session has ended.
var errEnded = errors.New("the key or session of this request has ended")

// watched is a request in progress.
type watched struct {
	who   *Identity
	scope Scope
	end   context.CancelCauseFunc
}

// watcher ends requests whose key was revoked or has expired, or whose session or roles have ended, whichever server
// that happened on. It checks all requests with one query, and only while there are any.
type watcher struct {
	c *Control

	mu       sync.Mutex
	requests map[*watched]struct{}
	running  bool
	wake     chan struct{}
	blind    bool // owned by run: the last query failed
}

func newWatcher(c *Control) *watcher {
	return &watcher{c: c, requests: map[*watched]struct{}{}, wake: make(chan struct{}, 1)}
}

// Watch returns a context that is canceled when who may no longer do what needs scope. The caller calls stop when the
// request is done.
func (c *Control) Watch(ctx context.Context, who *Identity, scope Scope) (watchedCtx context.Context, stop func()) {
	if who == nil || who.KeyID == nil && who.SessionID == nil {
		return ctx, func() {}
	}
	ctx, end := context.WithCancelCause(ctx)
	cancel := context.CancelFunc(func() {})
	if who.ExpiresAt != nil { // this needs no query
		ctx, cancel = context.WithDeadlineCause(ctx, *who.ExpiresAt, errEnded)
	}
	r, w := &watched{who: who, scope: scope, end: end}, c.watch
	w.mu.Lock()
	w.requests[r] = struct{}{}
	if !w.running {
		w.running = true
		go w.run()
	}
	w.mu.Unlock()
	return ctx, func() {
		w.mu.Lock()
		delete(w.requests, r)
		w.mu.Unlock()
		cancel()
		end(nil)
	}
}

// Ended reports whether a request's context was canceled because its key or session has ended.
func Ended(ctx context.Context) bool { return errors.Is(context.Cause(ctx), errEnded) }

// checkNow makes the watcher check now.
func (w *watcher) checkNow() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run checks the requests until there are none. It waits one interval before it exits, so that a busy server does not
// start a goroutine for each request.
func (w *watcher) run() {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-w.wake:
		}
		w.mu.Lock()
		if len(w.requests) == 0 {
			w.running = false
			w.mu.Unlock()
			return
		}
		requests := make([]*watched, 0, len(w.requests))
		for r := range w.requests {
			requests = append(requests, r)
		}
		w.mu.Unlock()
		w.look(requests)
	}
}

// look cancels the requests that have lost access. While the database cannot be reached, requests go on until their key
// or session expires.
func (w *watcher) look(requests []*watched) {
	var p sql.StandingOfParams
	seen := map[uuid.UUID]bool{}
	for _, r := range requests {
		id, of := r.who.holder(), &p.Keys
		if r.who.SessionID != nil {
			of = &p.Sessions
		}
		if !seen[id] {
			seen[id] = true
			*of = append(*of, id)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	rows, err := w.c.q.StandingOf(ctx, p)
	if err != nil {
		if !w.blind {
			w.c.cfg.Logger.Warn("the keys and sessions of requests in progress could not be checked", "error", err)
		}
		w.blind = true
		return
	}
	w.blind = false
	standing := make(map[uuid.UUID]sql.StandingOfRow, len(rows))
	for _, row := range rows {
		standing[row.ID] = row
	}
	for _, r := range requests {
		row, ok := standing[r.who.holder()]
		age := time.Duration(row.RolesAge * float64(time.Second))
		if !ok || !Scope(row.Scope).Includes(r.scope) || age >= rolesAge {
			r.end(errEnded)
			continue
		}
		if age >= rolesDue { // a page that only listens to a stream must have its roles refreshed too
			w.c.refresh(r.who.token)
		}
	}
}

// refresh reads the roles of a session again, without waiting for the result.
func (c *Control) refresh(token string) {
	c.asks.DoChan("refresh "+sessionHash(token), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
		defer cancel()
		row, err := c.findSession(ctx, token)
		if err == nil && row != nil {
			_, err = c.withRoles(row, token)
		}
		return nil, err
	})
}

// holder returns the id of the session, or of the key, that a request depends on.
func (i *Identity) holder() uuid.UUID {
	if i.SessionID != nil {
		return *i.SessionID
	}
	return *i.KeyID
}
