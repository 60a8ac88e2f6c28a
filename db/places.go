package db

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// errFull says that Postgres refused a connection a moment ago, so that it was not asked for another.
var errFull = fmt.Errorf("a moment ago: %w", &pgconn.PgError{Severity: "FATAL", Code: pgerrcode.TooManyConnections,
	Message: "all connections are in use"})

// full reports whether an error is that no connection could be had, because all are in use. Nothing was done: the same
// works once one is given back.
func full(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	if pg.Code == pgerrcode.TooManyConnections {
		return true
	}
	if pg.Code != pgerrcode.ProtocolViolation { // how PgBouncer says everything, before a statement is sent on
		return false
	}
	for _, text := range poolerIsFull {
		if strings.Contains(pg.Message, text) {
			return true
		}
	}
	return false
}

// poolerIsFull are PgBouncer's words for having no connection for a client.
var poolerIsFull = []string{"query_wait_timeout", "no more connections allowed", "server_login_retry",
	"cannot connect to server", "too many clients", "connection slots"}

const (
	// fullFor is how long Postgres is not asked for another connection of a pool after it refused one.
	fullFor = 200 * time.Millisecond
	// growEvery is how often a pool that was refused a connection asks again for each one that it lacks.
	growEvery = 2 * time.Second
)

// places limits a pool to the number of connections that Postgres gives it. If a pool's maximum is greater than that, a
// caller that finds no idle connection asks Postgres for another one and fails, although one of the pool's own may be
// released in a moment. So for each connection that Postgres refused, a goroutine occupies a place of the pool and asks
// for the connection every few seconds. All other callers wait for the connections that exist.
type places struct {
	pool *pgxpool.Pool
	max  int

	mu      sync.Mutex
	refused time.Time // when Postgres refused last
	taken   int
}

type placeKey struct{}

// watch has a pool's configuration tell p of refusals; p.pool is set once the pool is made.
func (p *places) watch(pc *pgxpool.Config) {
	onError := pc.ConnConfig.OnPgError
	pc.ConnConfig.OnPgError = func(c *pgconn.PgConn, err *pgconn.PgError) bool {
		if full(err) {
			p.wasRefused()
		}
		return onError(c, err)
	}
	pc.BeforeConnect = func(ctx context.Context, _ *pgx.ConnConfig) error {
		if ctx.Value(placeKey{}) == nil {
			return p.checkFull()
		}
		timer := time.NewTimer(growEvery/2 + rand.N(growEvery)) //nolint:gosec // chance enough
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done(): // the pool is closed
			return ctx.Err()
		}
	}
}

// checkFull returns errFull for a while after Postgres refused a connection.
func (p *places) checkFull() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.refused) < fullFor {
		return errFull
	}
	return nil
}

// wasRefused takes a place for which there is no connection.
func (p *places) wasRefused() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refused = time.Now(); p.pool == nil {
		return
	}
	stat := p.pool.Stat()
	if there := int(stat.TotalConns() - stat.ConstructingConns()); p.taken+max(1, there) >= p.max {
		return
	}
	p.taken++
	go p.grow()
}

// grow holds a place of the pool until Postgres gives a connection for it.
func (p *places) grow() {
	defer func() {
		p.mu.Lock()
		p.taken--
		p.mu.Unlock()
	}()
	ctx := context.WithValue(context.Background(), placeKey{}, true)
	for {
		c, err := p.pool.Acquire(ctx)
		if err == nil {
			c.Release()
			return
		}
		if !full(err) {
			return
		}
	}
}
