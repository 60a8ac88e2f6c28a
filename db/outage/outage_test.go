package outage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/parliament-explorer/parliament-explorer/db/outage"
)

// written is a buffer that timers write to while the test reads it.
type written struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

// take returns what was written since the last call.
func (w *written) take() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.b.Reset()
	return w.b.String()
}

// logged gives a logger and the lines that it has written since they were last asked for, to be asked for in a bubble.
func logged() (*slog.Logger, func() []string) {
	w := &written{}
	l := slog.New(outage.NewHandler(slog.NewTextHandler(w,
		&slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})))
	return l, func() []string {
		synctest.Wait()
		text := w.take()
		if text == "" {
			return nil
		}
		return strings.Split(strings.TrimSpace(text), "\n")
	}
}

func want(t *testing.T, when string, got []string, lines ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(lines, "\n") {
		t.Errorf("%s:\n%s\nwant:\n%s", when, strings.Join(got, "\n"), strings.Join(lines, "\n"))
	}
}

// TestDatabase logs errors of the database from all parts of the program for three minutes, each in its own words.
func TestDatabase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, lines := logged()
		down := &pgconn.PgError{Severity: "FATAL", Code: "57P01", Message: "terminating"}
		river := l.With("client_id", "w")
		complain := func() {
			l.Warn("heartbeat failed", "error", fmt.Errorf("beat: %w", down))
			l.Error("request failed", "request_id", time.Now().String(), "path", "/bills", "error",
				errors.New("failed to connect to `user=x`: refused"))
			l.Warn("the end of the step could not be recorded", "run_id", 1, "error", context.DeadlineExceeded)
			river.ErrorContext(t.Context(), "Producer: Error fetching jobs", "err", "unexpected EOF", "queue", "q")
		}
		complain()
		want(t, "when it begins", lines(),
			`level=WARN msg="heartbeat failed" error="beat: FATAL: terminating (SQLSTATE 57P01)"`)
		for range 59 {
			time.Sleep(time.Second)
			complain()
		}
		want(t, "within a minute", lines())
		time.Sleep(time.Second)
		complain()
		want(t, "after a minute", lines(),
			`level=WARN msg="heartbeat failed" error="beat: FATAL: terminating (SQLSTATE 57P01)" left_out=239`)
		l.Info("something else", "error", down)
		l.Warn("something else")
		want(t, "meanwhile", lines(), `level=INFO msg="something else" error="FATAL: terminating (SQLSTATE 57P01)"`,
			`level=WARN msg="something else"`)
		time.Sleep(19 * time.Second)
		complain()
		want(t, "still", lines())
		time.Sleep(19 * time.Second)
		want(t, "not over yet", lines())
		time.Sleep(2 * time.Second)
		synctest.Wait()
		want(t, "over", lines(),
			`level=INFO msg="the database is available again" lasted=1m19s left_out=7 left_out_in_all=246`)
		complain()
		want(t, "when it begins again", lines(),
			`level=WARN msg="heartbeat failed" error="beat: FATAL: terminating (SQLSTATE 57P01)"`)
		time.Sleep(time.Hour)
	})
}

// TestRepeated logs the same warning repeatedly, and lines that are written each time.
func TestRepeated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, lines := logged()
		for n := range 65 {
			l.Warn("housekeeping failed", "task", "x", "attempt", n, "error", "boom")
			time.Sleep(2 * time.Second)
		}
		want(t, "over and over", lines(),
			`level=WARN msg="housekeeping failed" task=x attempt=0 error=boom`,
			`level=WARN msg="housekeeping failed" task=x attempt=30 error=boom left_out=29`,
			`level=WARN msg="housekeeping failed" task=x attempt=60 error=boom left_out=29`)
		time.Sleep(time.Minute)
		synctest.Wait()
		want(t, "over", lines(),
			`level=INFO msg="no longer: housekeeping failed" lasted=2m8s left_out=4 left_out_in_all=62`)

		refused := &url.Error{Op: "Get", URL: "https://x.example", Err: context.DeadlineExceeded}
		for range 2 {
			l.Error("request failed", "request_id", "1", "error", "boom")
			l.With("run_id", 1).Error("step failed", "error", "boom")
			l.Info("as ever")
		}
		l.Warn("an alert could not be delivered", "error", refused)
		l.Warn("once", "n", 1)
		l.Warn("once", "n", 2)
		if got := lines(); len(got) != 9 {
			t.Errorf("%d lines:\n%s", len(got), strings.Join(got, "\n"))
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		want(t, "what was said once", lines())
	})
}
