package parliament

import (
	"context"
	"errors"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/parliament/embed"
)

// TestSearchesDoNotWaitForEachOther holds the read of all embeddings up: a search that waits for the same read leaves
// when its own client does. It used to wait for a lock that the first held, whatever its context said.
func TestSearchesDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	traced, begun := dbtest.Traced(t, d, "FROM embeddings WHERE model")
	client, err := embed.New(embed.Config{URL: "http://127.0.0.1:1", Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	m := NewEmbedder(traced, client)
	if _, err := d.Pool.Exec(t.Context(), "UPDATE embedding_state SET generation = 7"); err != nil {
		t.Fatal(err)
	}
	lock, err := d.Relaxed.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lock.Rollback(context.WithoutCancel(t.Context())) })
	if _, err := lock.Exec(t.Context(), "LOCK TABLE embeddings"); err != nil {
		t.Fatal(err)
	}
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { _, err := m.embeddings(t.Context()); first <- err }()
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	go func() { _, err := m.embeddings(ctx); second <- err }()
	cancel()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("the second search: %v", err)
	}
	select {
	case err := <-first:
		t.Fatalf("the first search is answered: %v", err)
	default:
	}
	if err := lock.Rollback(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-first; err != nil {
		t.Errorf("the first search: %v", err)
	}
}
