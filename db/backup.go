package db

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Backup writes a consistent backup of the program's schema to w, in pg_dump's custom format. Reads and writes continue
// meanwhile. The backup leaves out the rows of sessions and of running processes; the indexes that need pgvector are
// rebuilt after a restore. Backup needs pg_dump of the server's version or newer.
func (d *DB) Backup(ctx context.Context, w io.Writer) error {
	major, err := d.serverMajor(ctx)
	if err != nil {
		return err
	}
	dump, err := findDump(major)
	if err != nil {
		return err
	}
	var schema string
	if err := d.Pool.QueryRow(ctx, `SELECT current_schema()::text`).Scan(&schema); err != nil {
		return err
	}
	schema = toolPattern(schema)
	args := []string{
		"--format=custom", "--no-owner", "--no-privileges", "--lock-wait-timeout=30000", "--schema=" + schema,
	}
	for _, extension := range extensions {
		args = append(args, "--extension="+extension)
	}
	for _, table := range notBackedUp {
		args = append(args, "--exclude-table-data="+schema+"."+table)
	}
	return d.run(ctx, dump, nil, w, args...)
}

// notBackedUp are the tables whose rows a backup leaves out: they describe sessions and running processes.
var notBackedUp = []string{
	"sessions", "workers", "source_slots", "source_limits", "river_leader", "river_client", "river_client_queue",
}

// extensions are the Postgres extensions that the program requires.
var extensions = []string{"pg_trgm", "unaccent"}

// toolPattern returns a pattern for pg_dump that matches only the given name.
func toolPattern(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// serverMajor returns the major version of the server, such as 16.
func (d *DB) serverMajor(ctx context.Context) (int, error) {
	var version int
	err := d.Pool.QueryRow(ctx, `SELECT current_setting('server_version_num')::integer`).Scan(&version)
	return version / 10000, err
}

// run runs a Postgres client program against the database.
func (d *DB) run(ctx context.Context, t tool, in io.Reader, out io.Writer, args ...string) error {
	to, err := toolConnection(d.DirectURL)
	if err != nil {
		return err
	}
	defer to.close()
	to.env = append(to.env, "PGAPPNAME=explorer "+t.name)
	return execTool(ctx, t, to.env, in, out, append(args, "--dbname="+to.conninfo)...)
}

// replacedVariables are environment variables that a program run on a database does not inherit. The connection string
// that it gets already includes their effect as pgx reads them, and libpq may read them differently.
var replacedVariables = []string{"PGSERVICE", "PGSERVICEFILE", "PGOPTIONS", "PGTZ"}

// execTool runs a Postgres client program. If it fails, the error is the first error that the program printed. env is
// added to the environment; without it, the program inherits the environment as it is.
func execTool(ctx context.Context, t tool, env []string, in io.Reader, out io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, t.path, args...) //nolint:gosec // the path comes from findTools
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); env != nil && slices.Contains(replacedVariables, name) {
			continue
		}
		cmd.Env = append(cmd.Env, v)
	}
	cmd.Env = append(append(cmd.Env, "LC_ALL=C", "LANGUAGE=C"), env...)
	stderr := &errorOutput{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, stderr
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if reason := stderr.firstError(); reason != "" {
		return fmt.Errorf("%s: %s", t.name, reason)
	}
	return fmt.Errorf("%s: %w", t.name, err)
}

// errorOutput keeps the first 64 KiB that a program writes to standard error.
type errorOutput struct{ bytes.Buffer }

// Write implements io.Writer.
func (o *errorOutput) Write(p []byte) (int, error) {
	if room := 1<<16 - o.Len(); room > 0 {
		o.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

var errorLine = regexp.MustCompile(`(?:^|: )(?:error|ERROR|fatal|FATAL):\s+`)

// firstError returns the first line that reports an error, with the detail that Postgres adds to it. If no line does,
// it returns the first line.
func (o *errorOutput) firstError() string {
	lines := strings.Split(strings.TrimSpace(o.String()), "\n")
	found := 0
	for i, line := range lines {
		if errorLine.MatchString(line) {
			found = i
			break
		}
	}
	line := strings.TrimSpace(lines[found])
	if at := errorLine.FindStringIndex(line); at != nil {
		line = line[at[1]:]
	}
	for _, more := range lines[min(found+1, len(lines)):] {
		at := strings.Index(more, "DETAIL:")
		if at < 0 {
			at = strings.Index(more, "detail:")
		}
		if at >= 0 {
			return line + " (" + strings.TrimSpace(more[at+len("DETAIL:"):]) + ")"
		}
		if errorLine.MatchString(more) {
			break
		}
	}
	return oneLine(line)
}

// oneLine escapes a message that has control characters, so that it stays on one line.
func oneLine(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' }) {
		return strings.Trim(strconv.Quote(s), `"`)
	}
	return s
}
