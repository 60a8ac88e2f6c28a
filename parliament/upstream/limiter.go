package upstream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/parliament/internal/sql"
)

// limiter enforces the shared limits of a service. Two small tables hold its state: the time of the next request, and
// the slots of requests in flight. Slots have leases, so that those of a killed process become free.
type limiter struct {
	source  string
	spacing float64 // seconds between requests; 0: no limit, but Retry-After still holds everybody back
	slots   int
	lease   time.Duration
	q       *sql.Queries
	ensured atomic.Bool // the slots' rows are there
	pause   func(context.Context, time.Duration) error
}

// leaseSlack is how much longer a slot's lease lasts than its request's timeout.
const leaseSlack = 10 * time.Second

func newLimiter(cfg Config) *limiter {
	l := &limiter{
		source: cfg.Source, slots: cfg.MaxInFlight, lease: cfg.Timeout + leaseSlack, q: sql.New(cfg.DB.NoWait()),
		pause: pause,
	}
	if cfg.RPS > 0 {
		// A tenth slower than allowed, so that requests that are early or late by a little never exceed the rate in any
		// second.
		l.spacing = 1.1 / cfg.RPS
	}
	return l
}

func (l *limiter) ensureSlots(ctx context.Context) error {
	//nolint:gosec // a small number
	return l.q.EnsureSlots(ctx, sql.EnsureSlotsParams{Source: l.source, Slots: int32(l.slots)})
}

// acquire waits for a slot, then until the request may be sent. The caller must call release.
func (l *limiter) acquire(ctx context.Context) (release func(), err error) {
	if !l.ensured.Load() {
		if err := l.ensureSlots(ctx); err != nil {
			return nil, fmt.Errorf("request limits of %s: %w", l.source, err)
		}
		l.ensured.Store(true)
	}
	slot, err := l.takeSlot(ctx)
	if err != nil {
		return nil, err
	}
	release = func() {
		_ = l.certainly(ctx, func(ctx context.Context) error { // or the lease ends
			return l.q.ReleaseSlot(ctx, sql.ReleaseSlotParams{Source: l.source, Slot: slot.Slot, HeldUntil: slot.HeldUntil})
		})
	}
	wait, err := l.q.ReserveRequest(ctx, sql.ReserveRequestParams{Source: l.source, Spacing: l.spacing})
	if turn := time.Duration(wait * float64(time.Second)); err == nil {
		// The queue of requests alone never makes the wait this long: the service asked for a pause.
		if turn > max(maxRetryAfter*3/2, time.Duration(4*l.slots)*time.Duration(l.spacing*float64(time.Second))) {
			release()
			return nil, &heldError{turn}
		}
		if turn > leaseSlack/2 { // else the lease could end during the request, and the slot be taken by another
			err = l.certainly(ctx, func(ctx context.Context) (err error) {
				slot.HeldUntil, err = l.q.ExtendSlot(ctx, sql.ExtendSlotParams{
					Source: l.source, Slot: slot.Slot, HeldUntil: slot.HeldUntil, Lease: (turn + l.lease).Seconds(),
				})
				return err
			})
		}
		if err == nil {
			err = l.pause(ctx, turn)
		}
	}
	if err != nil {
		release()
		return nil, fmt.Errorf("request limits of %s: %w", l.source, err)
	}
	return release, nil
}

// certainly lets a statement finish even if the caller gives up. Otherwise a statement that took a slot could keep it
// until the lease ends, because nobody read its result.
func (l *limiter) certainly(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return f(ctx)
}

func (l *limiter) takeSlot(ctx context.Context) (sql.TakeSlotRow, error) {
	for tries := 1; ; tries++ {
		if err := ctx.Err(); err != nil {
			return sql.TakeSlotRow{}, err
		}
		var slot sql.TakeSlotRow
		err := l.certainly(ctx, func(ctx context.Context) (err error) {
			//nolint:gosec // a small number
			slot, err = l.q.TakeSlot(ctx, sql.TakeSlotParams{Source: l.source, Slots: int32(l.slots), Lease: l.lease.Seconds()})
			return err
		})
		if err == nil || !errors.Is(err, pgx.ErrNoRows) {
			return slot, err
		}
		if tries%50 == 0 { // a crash of Postgres empties the table
			if err := l.ensureSlots(ctx); err != nil {
				return slot, err
			}
		}
		if err := l.pause(ctx, time.Duration(20+rand.IntN(30))*time.Millisecond); err != nil { //nolint:gosec // jitter
			return slot, err
		}
	}
}

// heldError is the error for a service that asked for a longer pause than is worth waiting for.
type heldError struct{ wait time.Duration }

func (e *heldError) Error() string {
	return fmt.Sprintf("it asked to be left alone for another %s", e.wait.Round(time.Second))
}

// hold stops the requests of all processes to the service for a while.
func (l *limiter) hold(ctx context.Context, d time.Duration) {
	// An error here is ignored: the next 429 asks for the pause again.
	_ = l.q.HoldSource(context.WithoutCancel(ctx), sql.HoldSourceParams{Source: l.source, Seconds: d.Seconds()})
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
