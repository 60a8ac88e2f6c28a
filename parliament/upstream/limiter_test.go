package upstream

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
)

// heldSlots counts the slots that somebody holds for at least a while from now.
func heldSlots(t testing.TB, d *db.DB, atLeast time.Duration) (n int) {
	t.Helper()
	if err := d.Pool.QueryRow(
		t.Context(), "SELECT count(*) FROM source_slots WHERE held_until >= clock_timestamp() + $1::interval", atLeast,
	).Scan(&n); err != nil {
		t.Error(err)
	}
	return n
}

// TestGivingUpFreesTheSlot asks for slots and gives up at every moment of it. A slot whose owner gave up while it was
// being taken used to stay taken for the length of its lease, so that the fetches of a stopped worker stood still
// elsewhere.
func TestGivingUpFreesTheSlot(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	l := newLimiter(Config{Source: "test", DB: d, Timeout: time.Minute, MaxInFlight: 4})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for n := range 100 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n)*50*time.Microsecond)
				if _, release, err := l.acquire(ctx); err == nil {
					release()
				}
				cancel()
			}
		})
	}
	all.Wait()
	if n := heldSlots(t, d, 0); n != 0 {
		t.Errorf("%d slots are held, by nobody", n)
	}
}

// ticking returns a limiter whose leases are renewed when the test says so: a tick that is taken means that the renewal
// before it has ended.
func ticking(d *db.DB) (*limiter, chan<- time.Time) {
	l := newLimiter(Config{Source: "test", DB: d, Timeout: time.Minute, MaxInFlight: 4})
	ticks := make(chan time.Time)
	l.ticks = func(time.Duration) (<-chan time.Time, func()) { return ticks, func() {} }
	return l, ticks
}

// TestSlotOfADeadProcess: nobody renews the slot of a process that was killed, and it is free within the lease. It used
// to be held for the longest request and 10 s more, for which the work that was done again stood still.
func TestSlotOfADeadProcess(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	l, _ := ticking(d)
	_, release, err := l.acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	if n := heldSlots(t, d, slotLease); n != 0 {
		t.Errorf("%d slots are held for longer than %s", n, slotLease)
	}
}

// heldUntil returns when the last lease ends.
func heldUntil(t testing.TB, d *db.DB) (at time.Time) {
	t.Helper()
	if err := d.Pool.QueryRow(
		t.Context(), "SELECT max(held_until) FROM source_slots WHERE isfinite(held_until)",
	).Scan(&at); err != nil {
		t.Error(err)
	}
	return at
}

// TestSlotIsRenewed: a slot is held for as long as its request waits, because the service asked for a pause, and lasts,
// and is free at once after it.
func TestSlotIsRenewed(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	l, ticks := ticking(d)
	l.hold(t.Context(), 25*time.Second)
	renewed := func(while string) {
		t.Helper()
		before := heldUntil(t, d)
		ticks <- time.Time{}
		ticks <- time.Time{}
		if after := heldUntil(t, d); !after.After(before) {
			t.Errorf("while a request %s, its lease stays at %s", while, after)
		}
	}
	waited := false
	l.pause = func(_ context.Context, wait time.Duration) error {
		waited = wait > 20*time.Second
		renewed("waits")
		return nil
	}
	held, release, err := l.acquire(t.Context())
	if err != nil || !waited {
		t.Fatalf("waited: %v; %v", waited, err)
	}
	renewed("lasts")
	if err := held.Err(); err != nil {
		t.Error(err)
	}
	release()
	if n := heldSlots(t, d, 0); n != 0 {
		t.Errorf("%d slots are held after the release", n)
	}
}

// TestLostSlot: a request whose slot is another's by now, or cannot be renewed, ends, and is sent again when it has a
// slot. The source is not blamed.
func TestLostSlot(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what  string
		lease time.Duration
		lose  string
	}{
		{"another's", slotLease, "UPDATE source_slots SET held_until = held_until + interval '1 h' WHERE isfinite(held_until)"},
		{"too late", time.Millisecond, "SELECT"}, // as if the database had been away
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			d := dbtest.New(t)
			l, ticks := ticking(d)
			l.lease = c.lease
			var requests atomic.Int32
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if requests.Add(1) > 1 {
					_, _ = w.Write([]byte(`{"good": true}`))
					return
				}
				if _, err := d.Pool.Exec(t.Context(), c.lose); err != nil {
					t.Error(err)
				}
				ticks <- time.Time{}
				<-r.Context().Done()
			}))
			t.Cleanup(s.Close)
			c, err := New(Config{
				Source: "test", BaseURL: s.URL, UserAgent: "tester (me@example.org)", DB: d,
				Logger: slog.New(slog.DiscardHandler), RetryDelay: time.Millisecond,
			})
			if err != nil {
				t.Fatal(err)
			}
			c.limit = l
			var answer struct{ Good bool }
			if err := c.GetJSON(t.Context(), "/", &answer); err != nil || !answer.Good || requests.Load() != 2 {
				t.Errorf("answer %v after %d requests: %v", answer, requests.Load(), err)
			}
			if n := c.gate.Metrics().Failures(); n != 0 {
				t.Errorf("the source is blamed %d times", n)
			}
		})
	}
}

// TestLimitersShareOneRate has three workers ask at once, none of which waits for its turn: their turns are as far
// apart as the rate wants, whoever asks. The times are the database's, so a busy machine makes no difference.
func TestLimitersShareOneRate(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	const rps, workers, each = 20, 3, 20
	clock := func(sql string) (at time.Time) {
		t.Helper()
		if err := d.Pool.QueryRow(t.Context(), sql).Scan(&at); err != nil {
			t.Error(err)
		}
		return at
	}
	began := clock("SELECT clock_timestamp()")
	var all sync.WaitGroup
	for range workers {
		l := newLimiter(Config{Source: "test", DB: d, RPS: rps, Timeout: time.Minute, MaxInFlight: 4})
		l.pause = func(ctx context.Context, wait time.Duration) error { return pause(ctx, min(wait, time.Millisecond)) }
		all.Go(func() {
			for range each {
				_, release, err := l.acquire(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				release()
			}
		})
	}
	all.Wait()
	next := clock("SELECT next_at FROM source_limits WHERE source = 'test'")
	if took, want := next.Sub(began), workers*each*time.Second/rps; took < want {
		t.Errorf("%d requests are spread over %s, want %s at least", workers*each, took, want)
	}
}
