// Package clitest runs the program as a process in tests. The test binary is the program. Begin reading at Main, which
// a package's TestMain calls, and at Run.
package clitest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/cli"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/jobs"
)

// Main runs the tests of a package. In a process that a test starts, it runs the program instead, with the assets of
// parts in addition to the pipeline if the test requests them.
func Main(m *testing.M, parts func() []jobs.Contribution) {
	if os.Getenv("EXPLORER_TEST_MAIN") != "" {
		var more []jobs.Contribution
		if parts != nil {
			more = parts()
		}
		os.Exit(cli.MainWith(os.Args[1:], "test", os.Stdout, os.Stderr, more...))
	}
	dbtest.Main(m)
}

// underRace are the tests whose processes have the race detector. In the others it would take minutes, and find what it
// finds in these and in the tests of the packages.
var underRace = []string{"TestDemo"}

// Program prepares a process of the program. It inherits no configuration from the environment of the tests.
func Program(t testing.TB, env []string, args ...string) *exec.Cmd {
	t.Helper()
	if test, _, _ := strings.Cut(t.Name(), "/"); !slices.Contains(underRace, test) {
		dbtest.Measures(t)
	}
	cmd := exec.Command(os.Args[0], args...) //nolint:gosec,noctx // the test binary; Background ends it
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		switch name {
		case "DATABASE_URL", "DATABASE_DIRECT_URL", "DATABASE_CONNECTIONS", "DATA_DIR", "ADDR", "PORT", "OPENPARLIAMENT_URL",
			"LEGISINFO_URL", "EXPLORER_URL", "LOG_LEVEL", "LOG_FORMAT", "CONTACT_EMAIL", "USER_AGENT":
		default:
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Env = append(append(cmd.Env, "EXPLORER_TEST_MAIN=1"), env...)
	return cmd
}

// Result is the exit code and the output of a process.
type Result struct {
	Code     int
	Out, Err string
}

// Run runs the program to its end.
func Run(t testing.TB, env []string, args ...string) Result {
	t.Helper()
	cmd := Program(t, env, args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return Result{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

// Background starts the program, waits for a line that matches, and stops it with SIGTERM when the test ends.
func Background(t testing.TB, env []string, pattern string, args ...string) (match string) {
	t.Helper()
	cmd := Program(t, env, args...)
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	Read(r, pattern, func(m []string) bool { match = m[1]; return false })
	go io.Copy(io.Discard, r) //nolint:errcheck // it ends with the process
	t.Cleanup(func() {
		began := time.Now()
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %v", args, err)
		}
		if d := time.Since(began); d > 10*time.Second {
			t.Errorf("%v took %s to stop", args, d)
		}
	})
	return match
}

// Read calls f with the matches of a pattern in a stream until f wants no more.
func Read(r io.Reader, pattern string, f func([]string) bool) {
	re := regexp.MustCompile(pattern)
	var line []byte
	buf := make([]byte, 1)
	for {
		if _, err := r.Read(buf); err != nil {
			return
		}
		if buf[0] != '\n' {
			line = append(line, buf[0])
			continue
		}
		if m := re.FindStringSubmatch(string(line)); m != nil && !f(m) {
			return
		}
		line = nil
	}
}

// Eventually waits until a condition holds in processes that the test started and that cannot signal it.
func Eventually(t testing.TB, limit time.Duration, what string, is func() bool) {
	t.Helper()
	if !ComesAbout(t, limit, is) {
		t.Fatalf("never: %s", what)
	}
}

// ComesAbout checks a condition repeatedly, at least once, and reports whether it held in time.
func ComesAbout(t testing.TB, limit time.Duration, is func() bool) bool {
	for deadline := time.Now().Add(limit); !is(); {
		if time.Now().After(deadline) {
			return false
		}
		Sleep(context.WithoutCancel(t.Context()), 50*time.Millisecond) // also while the test cleans up
	}
	return true
}

// Sleep waits for d, or until ctx ends.
func Sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
