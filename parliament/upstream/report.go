package upstream

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/parliament/internal/sql"
)

// reporter stores the state of a source for users to see. Nothing depends on it, so it ignores its own errors.
type reporter struct {
	source string
	q      *sql.Queries
	good   atomic.Int64 // when a success was last written, in Unix nanoseconds
}

func newReporter(cfg Config) *reporter {
	return &reporter{source: cfg.Source, q: sql.New(cfg.DB.NoWait())}
}

// reportEvery is how often a success is stored. Storing each one would double the work of a fast source.
const reportEvery = 2 * time.Second

// reportOutcome stores the outcome of one request. A request that our own limits refused says nothing of the source.
func (r *reporter) reportOutcome(ctx context.Context, err error) {
	var held *heldError
	var lost *slotLostError
	switch {
	case ctx.Err() != nil || errors.As(err, &held) || errors.As(err, &lost):
		return
	case err == nil:
		last, now := r.good.Load(), time.Now().UnixNano()
		if now-last < int64(reportEvery) || !r.good.CompareAndSwap(last, now) {
			return
		}
		_ = r.q.SourceSucceeded(ctx, r.source)
	default:
		text := db.CleanText(Words(err.Error()))
		_ = r.q.SourceFailed(ctx, sql.SourceFailedParams{Source: r.source, Error: &text})
	}
}

func (r *reporter) held(ctx context.Context, d time.Duration) {
	_ = r.q.SourceHeld(ctx, sql.SourceHeldParams{Source: r.source, Seconds: d.Seconds()})
}

// breaker stores that the circuit breaker is open for d, or closed if d is 0.
func (r *reporter) breaker(d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = r.q.SourceBreaker(ctx, sql.SourceBreakerParams{Source: r.source, Seconds: d.Seconds()})
}

// Register stores the source and its limits, so that it is listed before its first request.
func (c *Client) Register(ctx context.Context) error {
	return c.state.q.RegisterSource(ctx, sql.RegisterSourceParams{
		Source: c.cfg.Source, Url: c.cfg.BaseURL, RequestsPerSecond: c.cfg.RPS,
		MaxInFlight: int32(c.cfg.MaxInFlight), //nolint:gosec // a small number
	})
}
