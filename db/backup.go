package db

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Backup writes everything there is to w, as pg_dump's custom format: a picture of one moment, taken while others go on
// working. Sessions, and what is known of processes, are left out; so is everything that needs pgvector, which is made
// again. Of a database that others share it takes the program's schema alone. It needs pg_dump, of the server's version or
// newer.
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
	args := []string{"--format=custom", "--no-owner", "--no-privileges", "--lock-wait-timeout=30000", "--schema=" + schema}
	for _, extension := range extensions {
		args = append(args, "--extension="+extension)
	}
	for _, table := range []string{"sessions", "workers", "source_slots", "source_limits", "river_leader", "river_client", "river_client_queue"} {
		args = append(args, "--exclude-table-data="+schema+"."+table)
	}
	return d.run(ctx, dump, nil, w, args...)
}

// extensions are those that the program cannot do without.
var extensions = []string{"pg_trgm", "unaccent"}

// toolPattern is a name as a pattern of pg_dump that matches it alone.
func toolPattern(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// ErrNotEmpty says that a backup cannot be restored onto a database that holds something.
var ErrNotEmpty = errors.New("the database is not empty: a backup is restored onto an empty one")

// Restore brings what Backup wrote into an empty database, all of it or nothing, and its schema to the newest version.
// What needs pgvector is left out of a backup that has it; the caller makes it anew. Restore needs pg_restore, of the
// version that wrote the backup or newer.
func (d *DB) Restore(ctx context.Context, r io.Reader) (failed error) {
	var tables int
	if err := d.Pool.QueryRow(ctx, `SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = to_regnamespace(quote_ident(current_schema()))
    AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')`).Scan(&tables); err != nil {
		return err
	}
	if tables > 0 {
		return ErrNotEmpty
	}
	server, err := d.serverMajor(ctx)
	if err != nil {
		return err
	}
	restore, contents, r, err := readArchive(ctx, r, server)
	if err != nil {
		return err
	}
	places, r, err := extensionPlaces(ctx, restore, contents, r)
	if err != nil {
		return err
	}
	if contents, err = d.selectContents(ctx, contents, places); err != nil {
		return err
	}
	list, err := listFile(contents)
	if err != nil {
		return err
	}
	defer os.Remove(list) //nolint:errcheck // a temporary file
	undo, err := d.makePlaces(ctx, contents, places)
	if err != nil {
		return err
	}
	defer func() {
		if failed != nil {
			undo()
		}
	}()
	args := []string{"--no-owner", "--no-privileges", "--use-list=" + list}
	if restore.major >= 17 && server < 17 {
		err = d.restoreScript(ctx, restore, r, args)
	} else {
		err = d.run(ctx, restore, r, nil, append(args, "--single-transaction", "--exit-on-error")...)
	}
	if err != nil {
		return err
	}
	_, err = d.MigrateUp(ctx)
	return err
}

// restoreScript has psql run what pg_restore writes. From version 17 on, pg_restore sets a parameter that older servers do
// not know, which is left out here.
func (d *DB) restoreScript(ctx context.Context, restore tool, archive io.Reader, args []string) error {
	psql, err := restore.beside("psql")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	script, out := io.Pipe()
	made := make(chan error, 1)
	go func() {
		err := execTool(ctx, restore, nil, archive, out, append(args, "--file=-")...)
		out.CloseWithError(err)
		made <- err
	}()
	fits, in := io.Pipe()
	go func() { in.CloseWithError(leaveOut(in, script, "SET transaction_timeout = 0;\n")) }()
	err = d.run(ctx, psql, fits, io.Discard, "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--file=-")
	cancel()
	_, _ = script.Close(), fits.Close()
	if failed := <-made; failed != nil && !errors.Is(failed, context.Canceled) && err == nil {
		return failed
	}
	return err
}

// leaveOut copies a script without a line that is among its first.
func leaveOut(w io.Writer, script io.Reader, line string) error {
	r := bufio.NewReader(script)
	for range 60 { // what is set comes before all else
		text, err := r.ReadString('\n')
		if text != line {
			if _, err := io.WriteString(w, text); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case text == line:
			_, err := io.Copy(w, r)
			return err
		}
	}
	_, err := io.Copy(w, r)
	return err
}

// readArchive reads the table of contents of a backup, with the program that is to restore it. rest is the backup from
// its beginning.
func readArchive(ctx context.Context, r io.Reader, server int) (restore tool, contents string, rest io.Reader, err error) {
	in := bufio.NewReaderSize(r, 1<<16)
	tools, err := findTools("pg_restore")
	if err != nil {
		return tool{}, "", nil, err
	}
	// The server's own version first, as others set what it may not know; then the newer, then the older ones.
	var order []tool
	for _, fits := range []func(int) bool{func(v int) bool { return v == server }, func(v int) bool { return v > server }} {
		for _, t := range tools {
			if fits(t.major) {
				order = append(order, t)
			}
		}
	}
	for i := len(tools) - 1; i >= 0; i-- {
		if tools[i].major < server {
			order = append(order, tools[i])
		}
	}
	rest = in
	for _, restore = range order {
		var read, list bytes.Buffer
		err = execTool(ctx, restore, nil, io.TeeReader(rest, &read), &list, "--list")
		rest = io.MultiReader(&read, rest)
		if err == nil {
			return restore, list.String(), rest, nil
		}
		if !strings.Contains(err.Error(), "unsupported version") { // in the C locale, which execTool asks for
			return tool{}, "", nil, err
		}
	}
	newest := tools[len(tools)-1]
	return tool{}, "", nil, fmt.Errorf("the backup was written by a newer pg_dump than the pg_restore of version %d that is here (%s): install the Postgres client programs of the version that wrote it", newest.major, newest.path)
}

// listFile writes a table of contents to a temporary file.
func listFile(contents string) (name string, err error) {
	f, err := os.CreateTemp("", "explorer-restore-*")
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(contents)
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// extensionPlaces finds out in which schema a backup has each extension, which its table of contents does not say. rest is
// the backup from its beginning.
func extensionPlaces(ctx context.Context, restore tool, contents string, r io.Reader) (places map[string]string, rest io.Reader, err error) {
	var entries strings.Builder
	for line := range strings.Lines(contents) {
		if ofExtensions.MatchString(line) && !needsVector.MatchString(line) {
			entries.WriteString(line)
		}
	}
	if entries.Len() == 0 {
		return nil, r, nil
	}
	list, err := listFile(entries.String())
	if err != nil {
		return nil, nil, err
	}
	defer os.Remove(list) //nolint:errcheck // a temporary file
	var read, script bytes.Buffer
	if err := execTool(ctx, restore, nil, io.TeeReader(r, &read), &script, "--schema-only", "--use-list="+list, "--file=-"); err != nil {
		return nil, nil, err
	}
	places = map[string]string{}
	for _, m := range createExtension.FindAllStringSubmatch(script.String(), -1) {
		places[unquoteName(m[1])] = unquoteName(m[2])
	}
	return places, io.MultiReader(&read, r), nil
}

// unquoteName is a name that SQL has in quotation marks or not.
func unquoteName(name string) string {
	if inner, quoted := strings.CutPrefix(name, `"`); quoted {
		return strings.ReplaceAll(strings.TrimSuffix(inner, `"`), `""`, `"`)
	}
	return name
}

// makePlaces makes the schemas of extensions that neither the database nor the backup has; undo drops them again.
func (d *DB) makePlaces(ctx context.Context, contents string, places map[string]string) (undo func(), err error) {
	var made []string
	undo = func() {
		for _, name := range made {
			_, _ = d.Pool.Exec(context.WithoutCancel(ctx), "DROP SCHEMA "+name) // empty, or somebody uses it now
		}
	}
	inBackup := map[string]bool{}
	for line := range strings.Lines(contents) {
		if m := ofSchema.FindStringSubmatch(strings.TrimRight(line, "\r\n")); m != nil {
			inBackup[m[1]] = true
		}
	}
	for _, schema := range places {
		there := inBackup[schema]
		if !there {
			err = d.Pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)`, schema).Scan(&there)
		}
		if err == nil && !there {
			name := pgx.Identifier{schema}.Sanitize()
			if _, err = d.Pool.Exec(ctx, "CREATE SCHEMA "+name); err == nil {
				made = append(made, name)
			}
		}
		if err != nil {
			undo()
			return nil, fmt.Errorf("the schema %s, which the backup has extensions in: %w", schema, err)
		}
	}
	return undo, nil
}

var (
	// needsVector are the entries of a table of contents that a server without pgvector refuses.
	needsVector = regexp.MustCompile(`^\d+; \d+ \d+ (INDEX|COMMENT) \S+ (INDEX )?` + VectorIndexPrefix + `|^\d+; \d+ \d+ EXTENSION - vector\b`)
	// ofExtension are comments on extensions, which only their owner may make.
	ofExtension = regexp.MustCompile(`^\d+; \d+ \d+ COMMENT - EXTENSION `)
	// ofExtensions are the extensions themselves; createExtension is how pg_restore writes one.
	ofExtensions    = regexp.MustCompile(`^\d+; \d+ \d+ EXTENSION - (\S+)`)
	createExtension = regexp.MustCompile(`(?m)^CREATE EXTENSION IF NOT EXISTS ("(?:[^"]|"")+"|\S+) WITH SCHEMA ("(?:[^"]|"")+"|[^\s;]+);`)
	ofSchema        = regexp.MustCompile(`^\d+; \d+ \d+ (?:SCHEMA -|COMMENT - SCHEMA|ACL - SCHEMA) (.+) \S+$`)
	ourTable        = regexp.MustCompile(`(?m)^\d+; \d+ \d+ TABLE (.+) goose_db_version \S*$`)
)

// selectContents leaves out of a table of contents what is there already and what the server may not have. places are the
// schemas of the extensions, which all else names; of one that is there it is no more to be made.
func (d *DB) selectContents(ctx context.Context, contents string, places map[string]string) (string, error) {
	ours := ourTable.FindStringSubmatch(contents)
	if ours == nil {
		return "", errors.New("this is no backup of Parliament Explorer: it holds no table goose_db_version")
	}
	var current *string
	var path string
	var there bool
	if err := d.Pool.QueryRow(ctx, `SELECT current_schema()::text, replace(current_setting('search_path'), '"$user"', quote_ident(current_user)),
    EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)`, ours[1]).Scan(&current, &path, &there); err != nil {
		return "", err
	}
	if at := placeInPath(path, ours[1]); current != nil && !there && at >= 0 && at < placeInPath(path, *current) {
		current = nil // the restore makes the one that comes before it
	}
	switch schema := ours[1]; {
	case current != nil && *current != schema:
		return "", fmt.Errorf("the backup is of the schema %s, and DATABASE_URL leads to the schema %s: add search_path=%s to DATABASE_URL", schema, *current, schema)
	case current == nil && placeInPath(path, schema) < 0:
		return "", fmt.Errorf("the backup is of the schema %s, and the search_path of DATABASE_URL is %s: set search_path=%s", schema, path, schema)
	}
	have, err := d.extensionSchemas(ctx)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for line := range strings.Lines(contents) {
		text := strings.TrimRight(line, "\r\n")
		if needsVector.MatchString(text) || ofExtension.MatchString(text) {
			continue
		}
		if m := ofExtensions.FindStringSubmatch(text); m != nil {
			is, there := have[m[1]]
			if was := places[m[1]]; there && was != "" && was != is {
				return "", fmt.Errorf("the backup has the extension %s in the schema %s, and the database in %s: there, drop it or run ALTER EXTENSION %s SET SCHEMA %s",
					m[1], was, is, pgx.Identifier{m[1]}.Sanitize(), pgx.Identifier{was}.Sanitize())
			}
			if there {
				delete(places, m[1])
				continue
			}
		}
		if m := ofSchema.FindStringSubmatch(text); m != nil {
			var there bool
			if err := d.Pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)`, m[1]).Scan(&there); err != nil {
				return "", err
			}
			if there {
				continue
			}
		}
		out.WriteString(line)
	}
	return out.String(), nil
}

// extensionSchemas are the extensions of the database, and the schema of each.
func (d *DB) extensionSchemas(ctx context.Context) (map[string]string, error) {
	rows, err := d.Pool.Query(ctx, `SELECT e.extname::text, n.nspname::text FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace`)
	if err != nil {
		return nil, err
	}
	have := map[string]string{}
	var name, schema string
	_, err = pgx.ForEachRow(rows, []any{&name, &schema}, func() error { have[name] = schema; return nil })
	return have, err
}

// placeInPath is where a search_path has a schema; -1 if it does not.
func placeInPath(path, schema string) int {
	return slices.IndexFunc(strings.Split(path, ","), func(name string) bool {
		name = strings.TrimSpace(name)
		return name == schema || name == (pgx.Identifier{schema}).Sanitize()
	})
}

func (d *DB) serverMajor(ctx context.Context) (int, error) {
	var version int
	err := d.Pool.QueryRow(ctx, `SELECT current_setting('server_version_num')::integer`).Scan(&version)
	return version / 10000, err
}

// run runs one of Postgres' programs on the database.
func (d *DB) run(ctx context.Context, t tool, in io.Reader, out io.Writer, args ...string) error {
	to, err := toolConnection(d.DirectURL)
	if err != nil {
		return err
	}
	defer to.close()
	return execTool(ctx, t, append(to.env, "PGAPPNAME=explorer "+t.name), in, out, append(args, "--dbname="+to.conninfo)...)
}

// execTool runs one of Postgres' programs, and tells the first thing that it complains of.
func execTool(ctx context.Context, t tool, env []string, in io.Reader, out io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, t.path, args...) //nolint:gosec // a program that we found
	for _, v := range os.Environ() {
		// What the environment says is in the connection already, as pgx reads it; libpq's ways may differ.
		if name, _, _ := strings.Cut(v, "="); env != nil && (name == "PGSERVICE" || name == "PGSERVICEFILE" || name == "PGOPTIONS" || name == "PGTZ") {
			continue
		}
		cmd.Env = append(cmd.Env, v)
	}
	cmd.Env = append(append(cmd.Env, "LC_ALL=C", "LANGUAGE=C"), env...)
	stderr := &complaint{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, stderr
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if said := stderr.first(); said != "" {
		return fmt.Errorf("%s: %s", t.name, said)
	}
	return fmt.Errorf("%s: %w", t.name, err)
}

// complaint is the beginning of what a program writes to standard error.
type complaint struct{ bytes.Buffer }

// Write implements io.Writer.
func (c *complaint) Write(p []byte) (int, error) {
	if room := 1<<16 - c.Len(); room > 0 {
		c.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

var errorLine = regexp.MustCompile(`(?:^|: )(?:error|ERROR|fatal|FATAL):\s+`)

// first is the first line that tells of an error, with what Postgres adds to it; without any, the first line.
func (c *complaint) first() string {
	lines := strings.Split(strings.TrimSpace(c.String()), "\n")
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

// oneLine keeps what a server says to one line.
func oneLine(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' }) {
		return strings.Trim(strconv.Quote(s), `"`)
	}
	return s
}
