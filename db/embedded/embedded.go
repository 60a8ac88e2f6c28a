// Package embedded runs a Postgres server as a child of this process, for users who have no Postgres of their own. It
// uses server binaries of the machine, or downloads them from a Maven repository once.
//
// The main types are Server, which Start returns, and Source, which finds and downloads binaries. Begin reading at
// Start; Source.Search and Source.Ensure find the binaries. Attach connects to a server that another process runs.
package embedded

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
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db/internal/tail"
)

// Config configures Start.
type Config struct {
	// Dir is the data directory, e.g. DATA_DIR/postgres. It is made if it is missing and never removed.
	Dir string
	// Logger logs starts, stops and restarts. Required.
	Logger *slog.Logger
	// Source says where the server binaries come from. Its empty fields are those of Environment.
	Source Source
	// Settings are added to the server's command line, e.g. {"fsync": "off"} for tests.
	Settings map[string]string
	// TCP makes the server listen on a free loopback port and ask for a password, which is kept in Dir. Otherwise it
	// listens on a Unix socket that its owner alone can reach. On Windows it is always TCP. A directory that was made
	// without TCP is refused with it.
	TCP bool

	freePort func(context.Context) (int, error) // tests have their own
}

// Server is a Postgres server that this process started from binaries found on the machine. It listens on a Unix
// socket only that its owner can reach, not on the network; on Windows on a loopback port, with a password. If this
// process dies, by whatever cause, the server stops by itself: a guard waits on a pipe that only this process holds
// open, or on Windows the server belongs to a job object of this process.
type Server struct {
	cfg      Config
	bin      string
	owner    *owner // whom the server runs as; nil: ourselves
	socket   string // the folder of the socket; empty with TCP
	port     int
	password string // with TCP
	lock     *flock.Flock

	mu       sync.Mutex
	cmd      *exec.Cmd
	guard    io.Closer
	exited   chan struct{}
	stopping bool
	ending   chan struct{} // closed once stopping
}

const database = "explorer"

// ErrInUse means that another process runs a server on the same data directory.
var ErrInUse = errors.New("already in use")

// Start starts Postgres on cfg.Dir, initialising it first if it is empty, and waits until it answers. A server
// that an earlier, killed process left behind is stopped first. It refuses a directory that holds something else and
// one whose data is of another major version, and changes nothing in either.
func Start(ctx context.Context, cfg Config) (_ *Server, err error) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, err
	}
	cfg.Dir = dir
	cfg.TCP = cfg.TCP || !socketsWork
	if cfg.freePort == nil {
		cfg.freePort = freePort
	}
	e := &Server{cfg: cfg, ending: make(chan struct{})}
	binaries, err := cfg.Source.or(Environment()).Ensure(ctx, cfg.Dir)
	if err != nil {
		return nil, err
	}
	e.bin = binaries.Bin
	if e.owner, err = serverOwner(); err != nil {
		return nil, err
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
		return nil, fmt.Errorf("data directory %s is %w by another explorer: stop that one, or set DATA_DIR or DATABASE_URL",
			dir, ErrInUse)
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
	if err := e.launchFirst(ctx); err != nil {
		return nil, err
	}
	if err := e.createDatabase(ctx); err != nil {
		return nil, errors.Join(err, e.Stop())
	}
	go e.supervise()
	return e, nil
}

// URL returns the connection string of the server.
func (e *Server) URL() string { return e.url(database) }

// Host is where the server listens, as the host of a connection string: the folder of its socket, or 127.0.0.1.
func (e *Server) Host() string {
	if e.cfg.TCP {
		return "127.0.0.1"
	}
	return e.socket
}

// Stop stops the server. It gives open sessions 5 s at most.
func (e *Server) Stop() error {
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
	_ = e.stopFast(cmd.Process)
	select {
	case <-exited:
	case <-time.After(5 * time.Second):
		_ = e.stopNow(cmd.Process)
		select {
		case <-exited:
		case <-time.After(3 * time.Second):
			return errors.New("postgres does not stop")
		}
	}
	return guard.Close()
}

func (e *Server) cleanup() {
	if e.socket != "" {
		_ = os.RemoveAll(e.socket) // made by this start
	}
	if e.lock != nil {
		_ = e.lock.Unlock()
	}
}

// Command prepares a server program to run as the server's user, in a process group of its own so that a Ctrl-C in the
// terminal reaches us alone.
func (e *Server) Command(name string, args ...string) *exec.Cmd {
	//nolint:gosec,noctx // the path is one we found; the program is stopped by signals, in order
	cmd := exec.Command(program(serverPath(e.bin), name), args...)
	cmd.Dir = filepath.VolumeName(e.bin) + string(filepath.Separator)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	cmd.SysProcAttr = e.owner.attributes()
	return cmd
}

// launch starts the server and its guard, and waits for the first answer.
func (e *Server) launch(ctx context.Context) error {
	started := time.Now()
	cmd := e.Command("postgres", e.serverArgs()...)
	stderr := &tail.Tail{}
	cmd.Stdout, cmd.Stderr = stderr, stderr
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	exited := make(chan struct{})
	alive, gone := context.WithCancel(ctx) // a stranger on our port may never answer
	defer gone()
	go func() {
		_ = cmd.Wait()
		close(exited)
		gone()
	}()
	guard, err := startGuard(cmd.Process.Pid, e.socket)
	if err != nil {
		_ = e.stopFast(cmd.Process)
		return err
	}
	e.mu.Lock()
	e.cmd, e.guard, e.exited = cmd, guard, exited
	stopping := e.stopping
	e.mu.Unlock()
	if stopping { // while we were starting
		ctx = canceled(ctx)
		gone()
	}

	deadline := time.NewTimer(60 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(alive, e.url("postgres"))
		if err == nil {
			e.cfg.Logger.Debug("postgres started", "pid", cmd.Process.Pid, "duration", time.Since(started))
			return conn.Close(ctx)
		}
		var failure error
		select {
		case <-exited:
			failure = fmt.Errorf("postgres did not start: %s", stderr.LastLine())
		case <-ctx.Done():
			failure = ctx.Err()
		case <-deadline.C:
			failure = fmt.Errorf("postgres does not answer: %w", err)
		case <-tick.C:
			continue
		}
		_ = e.stopNow(cmd.Process)
		kill := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
		<-exited
		kill.Stop()
		return errors.Join(failure, guard.Close())
	}
}

// serverArgs returns the arguments of the server program.
func (e *Server) serverArgs() []string {
	args := []string{
		"-D", serverPath(e.cfg.Dir), "-c", "max_connections=200", "-c", "logging_collector=off",
		"-c", "log_min_messages=fatal",
	}
	args = append(args, e.listenArgs()...)
	for _, k := range slices.Sorted(maps.Keys(e.cfg.Settings)) {
		args = append(args, "-c", k+"="+e.cfg.Settings[k])
	}
	return args
}

func canceled(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

// supervise restarts the server if it exits before Stop is called.
func (e *Server) supervise() {
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
func (e *Server) relaunch() bool {
	for wait := 500 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		err := e.launch(ctx)
		cancel()
		if err == nil {
			e.cfg.Logger.Info("postgres runs again")
			return true
		}
		if e.cfg.TCP && strings.Contains(err.Error(), portTaken) { // pools cannot follow to another port
			e.cfg.Logger.Error("another program has taken the port of postgres, which is started again once the port is free: "+
				"end that program, or start explorer anew", "port", e.port, "in", wait)
		} else {
			e.cfg.Logger.Error("postgres could not be started again; it is tried once more", "error", err, "in", wait)
		}
		select {
		case <-e.ending:
			return false
		case <-time.After(wait):
		}
	}
}

func (e *Server) createDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, e.url("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // a short-lived connection
	var exists bool
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, database).Scan(&exists)
	if err != nil || exists {
		return err
	}
	_, err = conn.Exec(ctx, `CREATE DATABASE `+database)
	return err
}

type closerFunc func() error

func (f closerFunc) Close() error { return f() }

func runContext(ctx context.Context, cmd *exec.Cmd) ([]byte, error) {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	contained, err := contain(cmd.Process)
	if err != nil {
		_ = cmd.Process.Kill()
		return nil, errors.Join(err, cmd.Wait())
	}
	defer contained.Close() //nolint:errcheck // nothing is left to do about it
	err = cmd.Wait()
	return out.Bytes(), err
}
