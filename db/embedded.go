package db

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/jackc/pgx/v5"
)

// EmbeddedConfig says how to run a Postgres of our own.
type EmbeddedConfig struct {
	// Dir is the data directory, e.g. DATA_DIR/postgres. It is made if it is missing and never removed.
	Dir string
	// Logger hears about starts, stops and restarts. Required.
	Logger *slog.Logger
	// Settings are added to the server's command line, e.g. {"fsync": "off"} for tests.
	Settings map[string]string
}

// Embedded is a Postgres server that this process started from binaries found on the machine. It listens on a Unix
// socket only that its owner can reach, not on the network. If this process dies, by whatever cause, the server stops
// by itself: a guard waits on a pipe that only this process holds open.
type Embedded struct {
	cfg    EmbeddedConfig
	bin    string
	owner  *owner // whom the server runs as; nil: ourselves
	socket string
	lock   *flock.Flock

	mu       sync.Mutex
	cmd      *exec.Cmd
	guard    io.Closer
	exited   chan struct{}
	stopping bool
	ending   chan struct{} // closed once stopping
}

const embeddedDatabase = "explorer"

// ErrEmbeddedInUse says that another process runs a server on the same data directory.
var ErrEmbeddedInUse = errors.New("already in use")

// StartEmbedded starts Postgres on cfg.Dir, initialising it first if it is empty, and waits until it answers. A server
// that an earlier, killed process left behind is stopped first. It refuses a directory that holds something else and
// one whose data is of another major version, and changes nothing in either.
func StartEmbedded(ctx context.Context, cfg EmbeddedConfig) (_ *Embedded, err error) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, err
	}
	cfg.Dir = dir
	e := &Embedded{cfg: cfg, ending: make(chan struct{})}
	if e.bin, err = findPostgres(cfg.Dir); err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 {
		if e.owner, err = unprivileged(); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil { //nolint:gosec // the server's own user must pass through
		return nil, fmt.Errorf("data directory: %w", err)
	}
	e.lock = flock.New(dir + ".lock")
	locked, err := e.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	if !locked {
		return nil, fmt.Errorf("data directory %s is %w by another explorer: stop that one, or set DATA_DIR or DATABASE_URL", dir, ErrEmbeddedInUse)
	}
	defer func() {
		if err != nil {
			e.cleanup()
		}
	}()
	if err := e.stopOrphan(ctx); err != nil {
		return nil, err
	}
	if err := e.initialise(ctx); err != nil {
		return nil, err
	}
	if e.socket, err = os.MkdirTemp("", "explorer-pg-"); err != nil {
		return nil, err
	}
	if err := e.chown(e.socket); err != nil {
		return nil, err
	}
	if err := e.launch(ctx); err != nil {
		return nil, err
	}
	if err := e.createDatabase(ctx); err != nil {
		return nil, errors.Join(err, e.Stop())
	}
	go e.supervise()
	return e, nil
}

// URL is the connection string of the server.
func (e *Embedded) URL() string { return e.url(embeddedDatabase) }

func (e *Embedded) url(database string) string {
	return fmt.Sprintf("host=%s port=5432 user=explorer dbname=%s sslmode=disable", e.socket, database)
}

// Stop stops the server, letting nobody wait longer than 5 s.
func (e *Embedded) Stop() error {
	e.mu.Lock()
	if !e.stopping {
		e.stopping = true
		close(e.ending)
	}
	cmd, exited, guard := e.cmd, e.exited, e.guard
	e.mu.Unlock()
	defer e.cleanup()
	if cmd == nil {
		return nil
	}
	_ = cmd.Process.Signal(syscall.SIGINT) // fast shutdown
	select {
	case <-exited:
	case <-time.After(5 * time.Second):
		_ = cmd.Process.Signal(syscall.SIGQUIT) // immediate shutdown; the next start recovers
		select {
		case <-exited:
		case <-time.After(3 * time.Second):
			return errors.New("postgres does not stop")
		}
	}
	return guard.Close()
}

// chown gives a path to the server's user.
func (e *Embedded) chown(path string) error {
	if e.owner == nil {
		return nil
	}
	return os.Chown(path, int(e.owner.uid), int(e.owner.gid))
}

func (e *Embedded) cleanup() {
	if e.socket != "" {
		_ = os.RemoveAll(e.socket) // made by this start
	}
	if e.lock != nil {
		_ = e.lock.Unlock()
	}
}

// command prepares a server program to run as the server's user, in a process group of its own so that a Ctrl-C in the
// terminal reaches us alone.
func (e *Embedded) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(e.bin, name), args...) //nolint:gosec,noctx // a path we found; it is stopped by signals, in order
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if e.owner != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: e.owner.uid, Gid: e.owner.gid}
	}
	return cmd
}

// launch starts the server and its guard, and waits for the first answer.
func (e *Embedded) launch(ctx context.Context) error {
	started := time.Now()
	args := []string{"-D", e.cfg.Dir, "-k", e.socket, "-p", "5432", "-c", "listen_addresses=", "-c", "unix_socket_permissions=0700", "-c", "max_connections=200", "-c", "logging_collector=off", "-c", "log_min_messages=fatal"}
	for _, k := range slices.Sorted(maps.Keys(e.cfg.Settings)) {
		args = append(args, "-c", k+"="+e.cfg.Settings[k])
	}
	cmd := e.command("postgres", args...)
	stderr := &tail{}
	cmd.Stdout, cmd.Stderr = stderr, stderr
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	guard, err := startGuard(cmd.Process.Pid, e.socket)
	if err != nil {
		_ = cmd.Process.Signal(syscall.SIGINT)
		return err
	}
	e.mu.Lock()
	e.cmd, e.guard, e.exited = cmd, guard, exited
	stopping := e.stopping
	e.mu.Unlock()
	if stopping { // while we were starting
		ctx = canceled(ctx)
	}

	deadline := time.NewTimer(60 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, e.url("postgres"))
		if err == nil {
			e.cfg.Logger.Debug("postgres started", "pid", cmd.Process.Pid, "duration", time.Since(started))
			return conn.Close(ctx)
		}
		var failure error
		select {
		case <-exited:
			failure = fmt.Errorf("postgres did not start: %s", stderr.lastLine())
		case <-ctx.Done():
			failure = ctx.Err()
		case <-deadline.C:
			failure = fmt.Errorf("postgres does not answer: %w", err)
		case <-tick.C:
			continue
		}
		_ = cmd.Process.Signal(syscall.SIGQUIT)
		kill := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
		<-exited
		kill.Stop()
		return errors.Join(failure, guard.Close())
	}
}

func canceled(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

// startGuard starts a process that stops the server when our end of its standard input closes, which the kernel does
// even if we are killed, and then removes the folder of its socket. Closing the guard ourselves, after a stop, finds nothing left to stop.
func startGuard(pid int, socket string) (io.Closer, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()                                                                                                                                                                                                                          //nolint:errcheck // the guard has it
	guard := exec.CommandContext(context.Background(), "/bin/sh", "-c", `read -r _; kill -INT "$1" 2>/dev/null; sleep 4; kill -QUIT "$1" 2>/dev/null; rmdir "$2" 2>/dev/null; exit 0`, "explorer-postgres-guard", strconv.Itoa(pid), socket) //nolint:gosec // a number
	guard.Stdin = r
	guard.Dir = "/"
	guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := guard.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the guard of postgres: %w", err), w.Close())
	}
	go guard.Wait() //nolint:errcheck // its exit says nothing
	return closerFunc(sync.OnceValue(func() error {
		_ = guard.Process.Kill() // first: once the server is gone its pid may be somebody else's
		return w.Close()
	})), nil
}

// supervise starts the server again if it goes away while we are using it.
func (e *Embedded) supervise() {
	for {
		e.mu.Lock()
		exited := e.exited
		e.mu.Unlock()
		<-exited
		e.mu.Lock()
		stopping := e.stopping
		_ = e.guard.Close()
		e.mu.Unlock()
		if stopping {
			return
		}
		e.cfg.Logger.Error("postgres went away: starting it again")
		if !e.relaunch() {
			return
		}
	}
}

// relaunch starts the server until it runs, however often that fails: whatever took it away may do so once more. False
// if it is to stop instead.
func (e *Embedded) relaunch() bool {
	for wait := 500 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		err := e.launch(ctx)
		cancel()
		if err == nil {
			e.cfg.Logger.Info("postgres runs again")
			return true
		}
		e.cfg.Logger.Error("postgres could not be started again; it is tried once more", "error", err, "in", wait)
		select {
		case <-e.ending:
			return false
		case <-time.After(wait):
		}
	}
}

func (e *Embedded) createDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, e.url("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // a short-lived connection
	var exists bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, embeddedDatabase).Scan(&exists); err != nil || exists {
		return err
	}
	_, err = conn.Exec(ctx, `CREATE DATABASE `+embeddedDatabase)
	return err
}

type closerFunc func() error

func (f closerFunc) Close() error { return f() }

// tail keeps the end of what a process wrote.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if len(t.buf) > 8192 {
		t.buf = slices.Clone(t.buf[len(t.buf)-4096:])
	}
	return len(p), nil
}

func (t *tail) lastLine() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return lastLine(t.buf)
}

func lastLine(b []byte) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

func runContext(ctx context.Context, cmd *exec.Cmd) ([]byte, error) {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	err := cmd.Wait()
	return out.Bytes(), err
}
