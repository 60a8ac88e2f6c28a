package upstream

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
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
				if release, err := l.acquire(ctx); err == nil {
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

// TestLeaseLastsForTheWaitAndTheRequest: a request that waits for its turn, because the service asked for a pause, has
// its slot until after the request. It used to lose it when the wait was as long as the lease.
func TestLeaseLastsForTheWaitAndTheRequest(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	c, err := New(Config{
		Source: "test", BaseURL: s.URL, UserAgent: "tester (me@example.org)", DB: d, Logger: slog.New(slog.DiscardHandler),
		Timeout: 20 * time.Second, MaxInFlight: 4,
	})
	if err != nil {
		t.Fatal(err)
	}
	c.limit.hold(t.Context(), 25*time.Second)
	waited := false
	c.limit.pause = func(_ context.Context, wait time.Duration) error {
		waited = wait > 20*time.Second
		if n := heldSlots(t, d, wait+20*time.Second); n != 1 {
			t.Errorf("%d slots are held for the wait of %s and a request of 20 s", n, wait)
		}
		return nil
	}
	release, err := c.limit.acquire(t.Context())
	if err != nil || !waited {
		t.Fatalf("waited: %v; %v", waited, err)
	}
	release()
	if n := heldSlots(t, d, 0); n != 0 {
		t.Errorf("%d slots are held after the release", n)
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
				release, err := l.acquire(t.Context())
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
