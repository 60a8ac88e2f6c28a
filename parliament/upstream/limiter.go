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
// the slots of requests in flight. Slots have short leases, which are renewed while they are used, so that those of a
// killed process are free before its work is done again.
type limiter struct {
	source  string
	spacing float64 // seconds between requests; 0: no limit, but Retry-After still holds everybody back
	slots   int
	lease   time.Duration
	q       *sql.Queries
	ensured atomic.Bool // the slots' rows are there
	pause   func(context.Context, time.Duration) error
	ticks   func(time.Duration) (c <-chan time.Time, stop func())
}

// slotLease is how long a slot is held that is not renewed. It is renewed three times as often.
const slotLease = 5 * time.Second

func newLimiter(cfg Config) *limiter {
	l := &limiter{
		source: cfg.Source, slots: cfg.MaxInFlight, lease: slotLease, q: sql.New(cfg.DB.NoWait()), pause: pause,
		ticks: func(d time.Duration) (<-chan time.Time, func()) {
			t := time.NewTicker(d)
			return t.C, t.Stop
		},
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

// acquire waits for a slot, then until the request may be sent. The caller must send it with the context that is
// returned, which ends when the slot is lost, and call release.
func (l *limiter) acquire(ctx context.Context) (held context.Context, release func(), err error) {
	if !l.ensured.Load() {
		if err := l.ensureSlots(ctx); err != nil {
			return nil, nil, fmt.Errorf("request limits of %s: %w", l.source, err)
		}
		l.ensured.Store(true)
	}
	slot, taken, err := l.takeSlot(ctx)
	if err != nil {
		return nil, nil, err
	}
	held, release = l.keep(ctx, slot, taken)
	wait, err := l.q.ReserveRequest(held, sql.ReserveRequestParams{Source: l.source, Spacing: l.spacing})
	if turn := time.Duration(wait * float64(time.Second)); err == nil {
		// The queue of requests alone never makes the wait this long: the service asked for a pause.
		if turn > max(maxRetryAfter*3/2, time.Duration(4*l.slots)*time.Duration(l.spacing*float64(time.Second))) {
			release()
			return nil, nil, &heldError{turn}
		}
		err = l.pause(held, turn)
	}
	if err != nil {
		lost := lostSlot(held)
		release()
		if lost != nil {
			err = lost
		}
		return nil, nil, fmt.Errorf("request limits of %s: %w", l.source, err)
	}
	return held, release, nil
}

// slotLostError is the error of a request that was given up because its slot could not be renewed in time, and another
// request may have it: the database was away for too long.
type slotLostError struct{ error }

func (e *slotLostError) Error() string {
	return fmt.Sprintf("its place among the requests in flight was not renewed: %v", e.error)
}

func (e *slotLostError) Unwrap() error { return e.error }

var errSlotTaken = errors.New("the lease had ended, and another request has it")

// lostSlot returns why the slot of a context is lost; nil if it is not.
func lostSlot(held context.Context) error {
	if lost := (*slotLostError)(nil); errors.As(context.Cause(held), &lost) {
		return lost
	}
	return nil
}

// keep renews the lease of a slot, which was taken at a time, until release is called or the lease has ended. held ends
// with the lease.
func (l *limiter) keep(
	ctx context.Context, slot sql.TakeSlotRow, taken time.Time,
) (held context.Context, release func()) {
	held, lose := context.WithCancelCause(ctx)
	released, stopped := make(chan struct{}), make(chan struct{})
	until := slot.HeldUntil
	go func() {
		defer close(stopped)
		due, stop := l.ticks(l.lease / 3)
		defer stop()
		for ends := taken.Add(l.lease); ; {
			select {
			case <-released:
				return
			case <-due:
			}
			began := time.Now()
			// The statement finishes even if the caller gives up: the slot is released at the time that it sets.
			renew, cancel := context.WithDeadline(context.WithoutCancel(ctx), ends)
			next, err := l.q.ExtendSlot(renew, sql.ExtendSlotParams{
				Source: l.source, Slot: slot.Slot, HeldUntil: until, Lease: l.lease.Seconds(),
			})
			cancel()
			switch {
			case err == nil:
				until, ends = next, began.Add(l.lease)
			case errors.Is(err, pgx.ErrNoRows):
				lose(&slotLostError{errSlotTaken})
				return
			case !time.Now().Before(ends):
				lose(&slotLostError{err})
				return
			}
		}
	}()
	return held, func() {
		close(released)
		<-stopped
		lose(nil)
		_ = l.certainly(ctx, func(ctx context.Context) error { // or the lease ends
			return l.q.ReleaseSlot(ctx, sql.ReleaseSlotParams{Source: l.source, Slot: slot.Slot, HeldUntil: until})
		})
	}
}

// certainly lets a statement finish even if the caller gives up. Otherwise a statement that took a slot could keep it
// until the lease ends, because nobody read its result.
func (l *limiter) certainly(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return f(ctx)
}

// takeSlot waits for a slot. Its lease began at taken or later.
func (l *limiter) takeSlot(ctx context.Context) (slot sql.TakeSlotRow, taken time.Time, err error) {
	for tries := 1; ; tries++ {
		if err := ctx.Err(); err != nil {
			return slot, taken, err
		}
		taken = time.Now()
		err := l.certainly(ctx, func(ctx context.Context) (err error) {
			//nolint:gosec // a small number
			slot, err = l.q.TakeSlot(ctx, sql.TakeSlotParams{Source: l.source, Slots: int32(l.slots), Lease: l.lease.Seconds()})
			return err
		})
		if err == nil || !errors.Is(err, pgx.ErrNoRows) {
			return slot, taken, err
		}
		if tries%50 == 0 { // a crash of Postgres empties the table
			if err := l.ensureSlots(ctx); err != nil {
				return slot, taken, err
			}
		}
		if err := l.pause(ctx, time.Duration(20+rand.IntN(30))*time.Millisecond); err != nil { //nolint:gosec // jitter
			return slot, taken, err
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
