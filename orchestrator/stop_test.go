package orchestrator_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
)

// hanging is a database that answers nothing from a moment on, whatever contexts say.
type hanging struct {
	db.Querier
	hung    *atomic.Bool
	asked   chan struct{} // for each that hangs
	release chan struct{}
}

func (h hanging) hang() {
	if h.hung.Load() {
		select {
		case h.asked <- struct{}{}:
		default:
		}
		<-h.release
	}
}

func (h hanging) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	h.hang()
	return h.Querier.Exec(ctx, sql, args...)
}

func (h hanging) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	h.hang()
	return h.Querier.Query(ctx, sql, args...)
}

func (h hanging) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	h.hang()
	return h.Querier.QueryRow(ctx, sql, args...)
}

// TestStopReturnsInTime stops an engine while something hangs.
func TestStopReturnsInTime(t *testing.T) {
	t.Parallel()
	takeAll := func(t *testing.T, pool *pgxpool.Pool) {
		for range pool.Config().MaxConns {
			c, err := pool.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Release)
		}
	}
	for name, hang := range map[string]func(t *testing.T, d *db.DB, h *hanging){
		"nothing": func(*testing.T, *db.DB, *hanging) {},
		"the relaxed pool": func(t *testing.T, _ *db.DB, h *hanging) {
			h.hung.Store(true)
			receive(t, "somebody asks", h.asked)
		},
		"every connection is taken": func(t *testing.T, d *db.DB, _ *hanging) {
			takeAll(t, d.Relaxed)
			takeAll(t, d.Pool)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := dbtest.NewWatched(t)
			release, running := make(chan struct{}), make(chan struct{})
			deaf := asset("deaf", nil, func(context.Context, *orchestrator.Step) error { // to its context
				close(running)
				<-release
				return nil
			})
			e, err := orchestrator.New(orchestrator.Config{
				DB:          d,
				Definitions: define(t, []*orchestrator.Asset{deaf}, nil),
				Logger:      testLogger(t),
				Work:        true,
				Heartbeat:   200 * time.Millisecond,
				SoftStop:    time.Hour,
			})
			if err != nil {
				t.Fatal(err)
			}
			h := &hanging{hung: &atomic.Bool{}, asked: make(chan struct{}, 1), release: release}
			orchestrator.Relaxed(e, func(inner db.Querier) db.Querier { h.Querier = inner; return h })
			if err := e.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { close(release) })
			start(t, e, orchestrator.RunRequest{Assets: []string{"deaf"}})
			receive(t, "the step runs", running)
			hang(t, d, h)

			const given, atMost = 500 * time.Millisecond, 5 * time.Second // a loaded machine is late
			ctx, cancel := context.WithTimeout(t.Context(), given)
			defer cancel()
			stopped := make(chan error, 1)
			go func() { stopped <- e.Stop(ctx) }()
			select {
			case err := <-stopped:
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("stop: %v", err)
				}
			case <-time.After(given + atMost):
				t.Errorf("it has not stopped %s after its time", atMost)
			}
		})
	}
}
