//go:build unix

package db_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/db/embedded"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
)

// TestFailover loses the primary of two servers in the middle of a run: with both named in the connection string the
// engine goes on with the other one once it is promoted, and the run ends as if nothing had been.
func TestFailover(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "explorer-failover-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	start := func(name string) *embedded.Server {
		e, err := embedded.Start(t.Context(), embedded.Config{Dir: filepath.Join(dir, name),
			Logger: slog.New(slog.DiscardHandler), Settings: map[string]string{"fsync": "off"}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = e.Stop() })
		return e
	}
	primary := start("one")
	dbtest.Beside(t, primary, "pg_basebackup")
	copied := filepath.Join(dir, "two")
	if err := os.Mkdir(copied, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := primary.Give(copied); err != nil {
		t.Fatal(err)
	}
	if out, err := primary.Command("pg_basebackup", "-D", copied, "-R", "-X", "stream", "-c", "fast", "-h", primary.Host(),
		"-U", "explorer").CombinedOutput(); err != nil {
		t.Fatalf("pg_basebackup: %v: %s", err, out)
	}
	standby := start("two")

	d, err := db.Open(t.Context(), db.Config{URL: fmt.Sprintf("host=%s,%s port=5432,5432 user=explorer dbname=explorer "+
		"sslmode=disable target_session_attrs=read-write", primary.Host(), standby.Host())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	if _, err := d.MigrateUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	entered, gate := make(chan struct{}, 10), make(chan struct{})
	asset := func(name string, deps ...string) *orchestrator.Asset {
		return orchestrator.NewAsset(orchestrator.AssetOptions{Name: name, Deps: deps},
			func(ctx context.Context, _ *orchestrator.Step, _ struct{}) (orchestrator.Metadata, error) {
				entered <- struct{}{}
				select {
				case <-gate:
					return orchestrator.Metadata{"name": name}, nil
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			})
	}
	defs, err := orchestrator.NewDefinitions(orchestrator.Declarations{Assets: []*orchestrator.Asset{asset("a"),
		asset("b", "a")}})
	if err != nil {
		t.Fatal(err)
	}
	e, err := orchestrator.New(orchestrator.Config{DB: d, Definitions: defs, Logger: slog.New(slog.DiscardHandler),
		Work: true, Heartbeat: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = e.Stop(ctx)
	})
	run, _, err := e.StartRun(t.Context(), orchestrator.RunRequest{Assets: []string{"a", "b"},
		Trigger: orchestrator.Trigger{Kind: "api"}})
	if err != nil {
		t.Fatal(err)
	}
	<-entered
	if err := primary.Stop(); err != nil { // in order: the standby has everything
		t.Fatal(err)
	}
	if out, err := standby.Command("pg_ctl", "promote", "-D", copied).CombinedOutput(); err != nil {
		t.Fatalf("promote: %v: %s", err, out)
	}
	close(gate)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		if err = e.FollowRun(ctx, run.ID, 0, func([]eventlog.Event) error { return nil }); err == nil || ctx.Err() != nil {
			break
		}
	}
	got, err := e.Run(t.Context(), run.ID)
	if err != nil || got.Status != orchestrator.StatusSuccess {
		t.Fatalf("%+v, %v", got, err)
	}
	events, err := e.Events().OfRun(t.Context(), run.ID, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	ends := map[string]int{}
	for _, ev := range events {
		ends[ev.Type]++
	}
	if ends[eventlog.Materialization] != 2 || ends["run_success"] != 1 {
		t.Errorf("events %v", ends)
	}
}
