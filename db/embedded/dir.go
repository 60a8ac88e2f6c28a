package embedded

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db/internal/tail"
)

// Find returns the folder of the server binaries: one of the version that made dir if there is data in it,
// otherwise the newest.
func Find(dir string) (string, error) {
	var candidates []string
	if p, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(p); err == nil {
			candidates = append(candidates, filepath.Dir(real))
		}
	}
	for _, pattern := range installed() {
		found, _ := filepath.Glob(pattern)
		candidates = append(candidates, found...)
	}
	want := ""
	if b, err := os.ReadFile(filepath.Join(dir, "PG_VERSION")); err == nil { //nolint:gosec // in our data directory
		want = strings.TrimSpace(string(b))
	}
	best, bestVersion := "", 0
	for _, c := range candidates {
		v := majorVersion(c)
		if v == 0 || (want != "" && strconv.Itoa(v) != want) {
			continue
		}
		if v > bestVersion {
			best, bestVersion = c, v
		}
	}
	switch {
	case best != "":
		return best, nil
	case want != "":
		return "", fmt.Errorf("data directory %s was made by Postgres %s, whose server binaries are not on this machine (looked in PATH, /usr/lib/postgresql and Homebrew)", dir, want)
	default:
		return "", errors.New("no Postgres server binaries found in PATH, /usr/lib/postgresql or Homebrew: install Postgres 14 or newer (Debian: apt-get install postgresql), or set DATABASE_URL")
	}
}

// majorVersion is 0 if the folder does not hold a usable server.
func majorVersion(bin string) int {
	for _, name := range []string{"postgres", "initdb"} {
		if _, err := os.Stat(filepath.Join(bin, name+exe)); err != nil {
			return 0
		}
	}
	out, err := exec.CommandContext(context.Background(), filepath.Join(bin, "postgres"+exe), "--version").Output() //nolint:gosec // a path we found
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(out)) // postgres (PostgreSQL) 15.18 (Debian ...)
	for _, f := range fields {
		major, _, _ := strings.Cut(f, ".")
		if v, err := strconv.Atoi(major); err == nil {
			if v < 14 {
				return 0
			}
			return v
		}
	}
	return 0
}

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
	fresh, err := os.MkdirTemp(filepath.Dir(dir), ".initdb-")
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	defer os.RemoveAll(fresh) //nolint:errcheck // made by this start; gone if it was renamed
	if err := e.Give(fresh); err != nil {
		return err
	}
	if err := e.checkReachable(filepath.Dir(dir)); err != nil {
		return err
	}
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
	cmd := e.Command("initdb", args...)
	if out, err := runContext(ctx, cmd); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, tail.LastLine(out))
	}
	if e.cfg.TCP {
		if err := os.Rename(password, filepath.Join(data, passwordFile)); err != nil {
			return fmt.Errorf("data directory: %w", err)
		}
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
