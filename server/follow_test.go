package server

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/parliament"
)

// TestFollowersDoNotWaitForEachOther holds the read of the status up: somebody else who follows it leaves when they
// want to. They used to wait for a lock that the first held, whatever their context said.
func TestFollowersDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	store := parliament.NewStore(d)
	lock, err := d.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lock.Rollback(context.WithoutCancel(t.Context())) })
	if _, err := lock.Exec(t.Context(), "LOCK TABLE river_job, workers"); err != nil {
		t.Fatal(err)
	}
	traced, begun := dbtest.Traced(t, d, "")
	defs, err := orchestrator.NewDefinitions(orchestrator.Declarations{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := orchestrator.New(orchestrator.Config{DB: traced, Definitions: defs, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	r := &statusReader{cfg: Config{Engine: e, Store: store}}
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { _, err := r.recent(t.Context()); first <- err }()
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	go func() { _, err := r.recent(ctx); second <- err }()
	cancel()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("the second: %v", err)
	}
	select {
	case err := <-first:
		t.Fatalf("the first is answered: %v", err)
	default:
	}
	if err := lock.Rollback(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-first; err != nil {
		t.Errorf("the first: %v", err)
	}
}
