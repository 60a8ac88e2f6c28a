package embedded

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db/internal/tail"
)

// initialise makes the data directory if it is not there yet. initdb works in a folder beside it that is then renamed,
// so that an interrupted first start leaves nothing half made behind.
func (e *Server) initialise(ctx context.Context) error {
	dir := e.cfg.Dir
	if _, err := os.Stat(filepath.Join(dir, "PG_VERSION")); err == nil {
		return e.checkOwner()
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("data directory: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("data directory %s is not empty and holds no Postgres data: choose another DATA_DIR", dir)
	}
	if err := e.checkReachable(filepath.Dir(dir)); err != nil {
		return err
	}
	fresh, err := makeClosed(filepath.Dir(dir), ".initdb-")
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	defer os.RemoveAll(fresh) //nolint:errcheck // made by this start
	started := time.Now()
	data := filepath.Join(fresh, "data") // initdb wants an empty folder, or makes it
	args := []string{"-D", serverPath(data), "-U", "explorer", "-E", "UTF8", "--locale=C", "-N"}
	password := filepath.Join(fresh, passwordFile)
	if e.cfg.TCP {
		if err := newPassword(password); err != nil {
			return err
		}
		if err := e.Give(password); err != nil {
			return err
		}
		args = append(args, "-A", "scram-sha-256", "--pwfile", serverPath(password))
	} else {
		args = append(args, "-A", "trust")
	}
	if err := e.Give(fresh); err != nil { // last: as root, nothing is written or given away in a folder of another user
		return err
	}
	cmd := e.Command("initdb", args...)
	if out, err := runContext(ctx, cmd); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, tail.LastLine(out))
	}
	if e.cfg.TCP {
		if err := os.Rename(password, filepath.Join(data, passwordFile)); err != nil {
			return fmt.Errorf("data directory: %w", err)
		}
	}
	if err := e.Give(data); err != nil { // on Windows it is closed by its own right once it leaves fresh
		return err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) { // an empty folder
		return err
	}
	if err := rename(data, dir); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	e.cfg.Logger.Debug("postgres initialised", "dir", dir, "duration", time.Since(started))
	return nil
}

// stopOrphan deals with the postmaster.pid of an earlier start. We hold the lock of the directory, so whatever it
// names was left behind: a server that is still there is stopped, a process that merely has the same number is not.
func (e *Server) stopOrphan(ctx context.Context) error {
	path := filepath.Join(e.cfg.Dir, "postmaster.pid")
	pid := pidIn(path)
	if pid == 0 {
		return nil
	}
	if !isPostgres(pid, e.cfg.Dir) {
		e.cfg.Logger.Info("removing a stale postmaster.pid", "pid", pid)
		// A server that is just ending removes it as well.
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove the postmaster.pid of a server that is gone: %w", err)
		}
		return nil
	}
	e.cfg.Logger.Info("stopping the Postgres server that an earlier explorer left behind", "pid", pid)
	if err := e.interrupt(pid); err != nil && isPostgres(pid, e.cfg.Dir) {
		return fmt.Errorf("postgres with pid %d runs on %s and cannot be stopped: %w", pid, e.cfg.Dir, err)
	}
	deadline := time.NewTimer(15 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for isPostgres(pid, e.cfg.Dir) { // not whether the process exists: one that ended may stay as a zombie
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			return fmt.Errorf("postgres with pid %d runs on %s and does not stop", pid, e.cfg.Dir)
		case <-tick.C:
		}
	}
	return nil
}

func pidIn(path string) int {
	b, err := os.ReadFile(path) //nolint:gosec // in our data directory
	if err != nil {
		return 0
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(line)))
	return max(pid, 0)
}

// Attach returns the connection string of the server that another process runs on dir, if there is one.
func Attach(dir string) (string, bool) {
	f, err := os.Open(filepath.Join(dir, "postmaster.pid")) //nolint:gosec // in our data directory
	if err != nil {
		return "", false
	}
	defer f.Close() //nolint:errcheck // read only
	var lines []string
	for s := bufio.NewScanner(f); s.Scan(); {
		lines = append(lines, strings.TrimSpace(s.Text()))
	}
	// pid, data directory, start time, port, socket directory, address, ...
	if len(lines) < 5 {
		return "", false
	}
	if pid, _ := strconv.Atoi(lines[0]); pid <= 0 || !isPostgres(pid, dir) {
		return "", false
	}
	if lines[4] != "" {
		return socketURL(lines[4], lines[3], database), true
	}
	if len(lines) < 6 || lines[5] == "" { // it does not listen yet
		return "", false
	}
	password, err := readPassword(dir)
	return tcpURL(lines[3], password, database), err == nil
}
