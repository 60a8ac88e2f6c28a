package db

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db/embedded"
	"github.com/parliament-explorer/parliament-explorer/db/internal/tail"
)

// Backup writes everything there is to w, as pg_dump's custom format: a picture of one moment, taken while others go on
// working. Sessions, and what is known of processes, are left out. It needs pg_dump, of the server's version or newer.
func (d *DB) Backup(ctx context.Context, w io.Writer) error {
	args := []string{"--format=custom", "--no-owner", "--no-privileges", "--lock-wait-timeout=30000"}
	for _, table := range []string{"sessions", "workers", "source_slots", "source_limits", "river_leader", "river_client", "river_client_queue"} {
		args = append(args, "--exclude-table-data="+table)
	}
	return d.tool(ctx, "pg_dump", nil, w, args...)
}

// ErrNotEmpty says that a backup cannot be restored onto a database that holds something.
var ErrNotEmpty = errors.New("the database is not empty: a backup is restored onto an empty one")

// Restore brings what Backup wrote into an empty database, all of it or nothing, and its schema to the newest version.
// It needs pg_restore.
func (d *DB) Restore(ctx context.Context, r io.Reader) error {
	var tables int
	if err := d.Pool.QueryRow(ctx, `SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace`).Scan(&tables); err != nil {
		return err
	}
	if tables > 0 {
		return ErrNotEmpty
	}
	if err := d.tool(ctx, "pg_restore", r, nil, "--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--dbname="+d.withoutPassword()); err != nil {
		return err
	}
	_, err := d.MigrateUp(ctx)
	return err
}

var passwordField = regexp.MustCompile(`\bpassword\s*=\s*('(?:\\.|[^'\\])*'|\S+)`)

// withoutPassword is the connection string as other users of the machine may see it.
func (d *DB) withoutPassword() string {
	if u, err := url.Parse(d.DirectURL); err == nil && strings.Contains(d.DirectURL, "://") {
		if u.User != nil {
			u.User = url.User(u.User.Username())
		}
		q := u.Query()
		q.Del("password")
		u.RawQuery = q.Encode()
		return u.String()
	}
	return passwordField.ReplaceAllString(d.DirectURL, "")
}

// tool runs one of Postgres' programs on the database.
func (d *DB) tool(ctx context.Context, name string, in io.Reader, out io.Writer, args ...string) error {
	path, err := findTool(name)
	if err != nil {
		return err
	}
	pc, err := pgx.ParseConfig(d.DirectURL)
	if err != nil {
		return unreadable("DATABASE_URL", d.DirectURL)
	}
	if name == "pg_dump" {
		args = append(args, "--dbname="+d.withoutPassword())
	}
	cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // a program that we found
	cmd.Env = append(os.Environ(), "PGPASSWORD="+pc.Password, "PGAPPNAME=explorer "+name, "PGCONNECT_TIMEOUT=8")
	stderr := &tail.Tail{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%s: %s", name, strings.TrimPrefix(stderr.LastLine(), name+": "))
	}
	return nil
}

// findTool looks beside the server's programs, the newest first, and in PATH.
func findTool(name string) (string, error) {
	if bin, err := embedded.Find(""); err == nil {
		if path := filepath.Join(bin, name); isExecutable(path) {
			return path, nil
		}
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin"} { // clients without a server
		found, _ := filepath.Glob(filepath.Join(pattern, name))
		if len(found) > 0 {
			return found[len(found)-1], nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s is not on this machine: install the Postgres client programs (Debian: apt-get install postgresql-client)", name)
	}
	return path, nil
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir() && info.Mode()&0o111 != 0
}
