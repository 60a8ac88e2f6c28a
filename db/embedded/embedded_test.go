package embedded_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db/embedded"
)

func dataDir(t *testing.T) string {
	t.Helper()
	// t.TempDir is closed to the server's user when the tests run as root
	dir, err := os.MkdirTemp("", "explorer-embedded-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "postgres")
}

func startEmbedded(t *testing.T, dir string) *embedded.Server {
	t.Helper()
	e, err := embedded.Start(t.Context(), embedded.Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func query(t *testing.T, url, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var s string
	if err := conn.QueryRow(t.Context(), sql).Scan(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEmbedded(t *testing.T) {
	t.Parallel()
	if os.Getenv("EXPLORER_TEST_EMBEDDED_DIR") != "" { // the child of ParentKilled
		e := startEmbedded(t, os.Getenv("EXPLORER_TEST_EMBEDDED_DIR"))
		pid, _ := os.ReadFile(filepath.Join(os.Getenv("EXPLORER_TEST_EMBEDDED_DIR"), "postmaster.pid"))
		first, _, _ := strings.Cut(string(pid), "\n")
		query(t, e.URL(), "SELECT 'up'")
		os.Stdout.WriteString("pid " + first + "\n")
		select {}
	}

	t.Run("KeepsDataOverRestart", func(t *testing.T) {
		t.Parallel()
		dir := dataDir(t)
		e := startEmbedded(t, dir)
		conn, err := pgx.Connect(t.Context(), e.URL())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), "CREATE TABLE kept AS SELECT 'yes'::text AS v"); err != nil {
			t.Fatal(err)
		}
		conn.Close(t.Context())
		if err := e.Stop(); err != nil {
			t.Fatal(err)
		}
		e = startEmbedded(t, dir)
		defer e.Stop()
		if got := query(t, e.URL(), "SELECT v FROM kept"); got != "yes" {
			t.Errorf("kept = %q", got)
		}
	})

	t.Run("SecondStartIsRefused", func(t *testing.T) {
		t.Parallel()
		dir := dataDir(t)
		e := startEmbedded(t, dir)
		defer e.Stop()
		_, err := embedded.Start(t.Context(), embedded.Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
		if !errors.Is(err, embedded.ErrInUse) {
			t.Errorf("err = %v, want ErrInUse", err)
		}
		url, ok := embedded.Attach(dir)
		if !ok {
			t.Fatal("the running server was not found")
		}
		query(t, url, "SELECT 'attached'")
	})

	t.Run("StalePidOfAnotherProcess", func(t *testing.T) {
		t.Parallel()
		dir := dataDir(t)
		if err := startEmbedded(t, dir).Stop(); err != nil {
			t.Fatal(err)
		}
		// A live process that is no Postgres: ourselves.
		stale := strconv.Itoa(os.Getpid()) + "\n" + dir + "\n"
		if err := os.WriteFile(filepath.Join(dir, "postmaster.pid"), []byte(stale), 0o600); err != nil {
			t.Fatal(err)
		}
		e := startEmbedded(t, dir)
		defer e.Stop()
		query(t, e.URL(), "SELECT 'ok'")
	})

	t.Run("ComesBackHoweverOftenItFails", func(t *testing.T) {
		t.Parallel()
		dir := dataDir(t)
		refused, back := make(chan struct{}, 100), make(chan struct{}, 100)
		log := told{told{slog.DiscardHandler, "runs again", back}, "could not be started again", refused}
		e, err := embedded.Start(t.Context(), embedded.Config{Dir: dir, Logger: slog.New(log)})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Stop()
		control := filepath.Join(dir, "global", "pg_control")
		if err := os.Rename(control, control+".away"); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(filepath.Join(dir, "postmaster.pid"))
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(raw), "\n")
		pid, err := strconv.Atoi(first)
		if err != nil {
			t.Fatal(err)
		}
		server, err := os.FindProcess(pid)
		if err != nil {
			t.Fatal(err)
		}
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		<-refused
		<-refused
		if err := os.Rename(control+".away", control); err != nil {
			t.Fatal(err)
		}
		<-back
		query(t, e.URL(), "SELECT 'back'")
	})

	t.Run("LeavesAStrangersFolderAlone", func(t *testing.T) {
		t.Parallel()
		dir := dataDir(t)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		precious := filepath.Join(dir, "precious.txt")
		if err := os.WriteFile(precious, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := embedded.Start(t.Context(), embedded.Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), "is not empty") {
			t.Errorf("err = %v", err)
		}
		if _, err := os.Stat(precious); err != nil {
			t.Error(err)
		}
	})

	t.Run("UnknownVersionIsLeftAlone", func(t *testing.T) {
		t.Parallel()
		dir := dataDir(t)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "PG_VERSION"), []byte("9\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := embedded.Start(t.Context(), embedded.Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), "made by Postgres 9") {
			t.Errorf("err = %v", err)
		}
		if _, err := os.Stat(filepath.Join(dir, "PG_VERSION")); err != nil {
			t.Error(err)
		}
	})

	t.Run("DoesNotOutliveAKilledParent", func(t *testing.T) {
		t.Parallel()
		dir := dataDir(t)
		child := exec.Command(os.Args[0], "-test.run=^TestEmbedded$")
		child.Env = append(os.Environ(), "EXPLORER_TEST_EMBEDDED_DIR="+dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 64)
		n, err := out.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(string(buf[:n]), "pid ")))
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait()
		// A start right after the kill must cope with a server that is just going.
		e := startEmbedded(t, dir)
		defer e.Stop()
		// It is gone, or a zombie that nobody has collected yet.
		state, _ := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
		if s := strings.TrimSpace(string(state)); s != "" && !strings.HasPrefix(s, "Z") {
			t.Errorf("the server of the killed process is still there: %s", s)
		}
	})
}

// told is a log handler that tells of messages with a text in them.
type told struct {
	slog.Handler
	text string
	of   chan struct{}
}

func (h told) Enabled(context.Context, slog.Level) bool { return true }

func (h told) Handle(ctx context.Context, r slog.Record) error {
	if strings.Contains(r.Message, h.text) {
		h.of <- struct{}{}
	}
	return h.Handler.Handle(ctx, r)
}
