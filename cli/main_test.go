package cli_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/cli"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/jobs"
)

// TestMain lets the test binary be the program itself, so that tests can run it as a user does.
func TestMain(m *testing.M) {
	if os.Getenv("EXPLORER_TEST_MAIN") != "" {
		var parts []jobs.Contribution
		if os.Getenv("EXPLORER_TEST_STORM") != "" {
			parts = append(parts, storm())
		}
		os.Exit(cli.MainWith(os.Args[1:], "test", os.Stdout, os.Stderr, parts...))
	}
	dbtest.Main(m)
}

// eventually waits until something has come about in processes that the test started and cannot be told by.
func eventually(t testing.TB, limit time.Duration, what string, is func() bool) {
	t.Helper()
	if !comesAbout(t, limit, is) {
		t.Fatalf("never: %s", what)
	}
}

// comesAbout asks again and again whether something has come about, at least once, and says whether it did in time.
func comesAbout(t testing.TB, limit time.Duration, is func() bool) bool {
	for deadline := time.Now().Add(limit); !is(); {
		if time.Now().After(deadline) {
			return false
		}
		sleep(context.WithoutCancel(t.Context()), 50*time.Millisecond) // also while the test cleans up
	}
	return true
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
