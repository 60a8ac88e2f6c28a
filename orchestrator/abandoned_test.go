package orchestrator_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
)

// line is a connection to a database that can be stopped and goes on where it was, as that of a process does which is
// stopped, or of a machine that is cut off.
type line struct {
	mu      sync.Mutex
	stopped chan struct{} // open while nothing passes
}

func (l *line) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = make(chan struct{})
}

func (l *line) goOn() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.stopped)
	l.stopped = nil
}

func (l *line) pass(to io.WriteCloser, from io.Reader) {
	defer to.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		l.mu.Lock()
		stopped := l.stopped
		l.mu.Unlock()
		if stopped != nil {
			<-stopped
		}
		if err != nil {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// overLine opens a database by way of a line.
func overLine(t *testing.T, d *db.DB) (*db.DB, *line) {
	t.Helper()
	cfg, err := pgx.ParseConfig(d.URL)
	if err != nil {
		t.Fatal(err)
	}
	network, address := pgNetwork(cfg.Host, cfg.Port)
	dir, err := os.MkdirTemp("", "line")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	listener, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	l := &line{}
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial(network, address)
			if err != nil {
				_ = near.Close()
				continue
			}
			go l.pass(far, near)
			go l.pass(near, far)
		}
	}()
	url := fmt.Sprintf(
		"host=%s port=5432 user=%s password='%s' dbname=%s sslmode=disable", dir, cfg.User, cfg.Password,
		cfg.Database,
	)
	over, err := db.Open(t.Context(), db.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(over.Close)
	return over, l
}

func pgNetwork(host string, port uint16) (network, address string) {
	if filepath.IsAbs(host) {
		return "unix", filepath.Join(host, fmt.Sprintf(".s.PGSQL.%d", port))
	}
	return "tcp", net.JoinHostPort(host, fmt.Sprint(port))
}

// TestCancelWithoutWorkers cancels runs whose only worker is stopped. There is nobody to ask: they end at once when the
// worker is known to be dead, or as soon as it is. What it records afterwards is refused.
func TestCancelWithoutWorkers(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]bool{"known to be dead": true, "not yet known": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := dbtest.New(t)
			began, hung := make(chan struct{}, 2), make(chan struct{})
			defs := define(t, []*orchestrator.Asset{
				asset("a", nil, func(_ context.Context, step *orchestrator.Step) error {
					began <- struct{}{}
					<-hung
					step.Log(eventlog.LevelInfo, "late", nil)
					step.InFinish(func(ctx context.Context, tx pgx.Tx) error {
						_, err := tx.Exec(ctx, "INSERT INTO dynamic_partitions (set, key, created_at) VALUES ('late', 'x', now())")
						return err
					})
					return nil
				}),
				asset("b", []string{"a"}, nil),
			}, nil)
			front := startEngine(t, d, defs, func(c *orchestrator.Config) { c.Work = false })
			over, l := overLine(t, d)
			refused, listening := hear(t, "this attempt is not recorded")
			startEngine(t, over, defs, listening)
			run := start(t, front, orchestrator.RunRequest{Assets: []string{"a", "b"}})
			receive(t, "the function runs", began) // the start of the step may be recorded before its worker knows
			l.stop()
			stopped := true
			defer func() {
				if stopped {
					l.goOn()
				}
			}()
			queued := start(t, front, orchestrator.RunRequest{Assets: []string{"b"}})
			if known {
				if _, err := d.Pool.Exec(t.Context(), "UPDATE workers SET beat_at = now() - interval '1 hour'"); err != nil {
					t.Fatal(err)
				}
			}
			for _, id := range []uuid.UUID{run.ID, queued.ID} {
				got, err := front.CancelRun(t.Context(), id, "alice")
				if err != nil {
					t.Fatal(err)
				}
				if (known || id == queued.ID) && got.Status != orchestrator.StatusCanceled {
					t.Errorf("asked for, run is %s", got.Status)
				}
			}
			ended, events := wait(t, front, run.ID)
			if ended.Status != orchestrator.StatusCanceled || ended.Steps[0].Status != orchestrator.StatusCanceled ||
				ended.Steps[1].Status != orchestrator.StatusCanceled ||
				*ended.CanceledBy != "alice" {
				t.Errorf("run %s, steps %+v", ended.Status, ended.Steps)
			}
			if e := ended.Steps[0].Error; e == nil || e.Class != orchestrator.ClassCanceled ||
				e.Message != "canceled by alice; its worker is dead" {
				t.Errorf("%+v", e)
			}
			l.goOn()
			stopped = false
			close(hung)
			receive(t, "the worker is told that the step is not its own", refused)
			if got, err := front.Run(t.Context(), run.ID); err != nil || got.Status != orchestrator.StatusCanceled ||
				!got.EndedAt.Equal(*ended.EndedAt) {
				t.Errorf("afterwards %+v, %v", got, err)
			}
			after, err := front.Events().OfRun(t.Context(), run.ID, events[len(events)-1].ID, 10)
			if err != nil || len(after) != 0 ||
				slices.ContainsFunc(events, func(ev eventlog.Event) bool { return ev.Message == "late" }) {
				t.Errorf("the worker wrote %v, %v", types(after), err)
			}
			if n := countRows(t, d, `SELECT (SELECT count(*) FROM materializations) + (SELECT count(*)
				FROM dynamic_partitions)`); n != 0 {
				t.Errorf("the worker wrote %d records", n)
			}
			// It works on, on what is its own.
			next := start(t, front, orchestrator.RunRequest{Assets: []string{"a", "b"}})
			if again, _ := wait(t, front, next.ID); again.Status != orchestrator.StatusSuccess {
				t.Errorf("the next run: %s", again.Status)
			}
		})
	}
}
