package orchestrator_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
)

// until waits until something has come about in the database of an engine that setup or a watched database gave.
func until(t testing.TB, e *orchestrator.Engine, what string, is func() bool) {
	t.Helper()
	dbtest.Until(t, orchestrator.DatabaseOf(e), what, is)
}

// receive takes the next value off a channel; the test fails if none comes.
func receive[T any](t testing.TB, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(time.Minute):
		t.Fatalf("never: %s", what)
		panic("unreachable")
	}
}

// hearing has a log tell of the lines that have a text in them.
type hearing struct {
	slog.Handler
	text  string
	heard chan string
}

func (h hearing) Handle(ctx context.Context, r slog.Record) error {
	if strings.Contains(r.Message, h.text) {
		said := r.Message
		r.Attrs(func(a slog.Attr) bool { said += " " + a.String(); return true })
		select {
		case h.heard <- said:
		default: // nobody counts any more
		}
	}
	return h.Handler.Handle(ctx, r)
}

func (h hearing) Enabled(context.Context, slog.Level) bool { return true }

func (h hearing) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.Handler = h.Handler.WithAttrs(attrs)
	return h
}

// hear gives what an engine logs with a text in it, and has it do so.
func hear(t testing.TB, text string) (heard <-chan string, change func(*orchestrator.Config)) {
	t.Helper()
	h := hearing{Handler: testLogger(t).Handler(), text: text, heard: make(chan string, 1000)}
	return h.heard, func(c *orchestrator.Config) { c.Logger = slog.New(h) }
}
