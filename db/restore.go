package db

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// ErrNotEmpty means that the database already has tables. A backup is restored onto an empty database only.
var ErrNotEmpty = errors.New("the database is not empty: a backup is restored onto an empty one")

// countTables counts the tables of the current schema that do not belong to an extension.
const countTables = `
SELECT count(*) FROM pg_class
WHERE relkind IN ('r', 'p') AND relnamespace = to_regnamespace(quote_ident(current_schema()))
  AND NOT EXISTS (
    SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e'
  )`

// Restored counts what a restored database has.
type Restored struct {
	Bills, Runs, RunningSchedules int64
}

// CountRestored counts the bills, the runs and the running schedules, for the report after Restore.
func (d *DB) CountRestored(ctx context.Context) (Restored, error) {
	var n Restored
	err := d.Pool.QueryRow(ctx, `
SELECT (SELECT count(*) FROM bills), (SELECT count(*) FROM runs), (SELECT count(*) FROM schedules WHERE running)`).
		Scan(&n.Bills, &n.Runs, &n.RunningSchedules)
	return n, err
}

// Restore reads a backup that Backup wrote into an empty database and migrates it to the newest schema. If reading the
// backup fails, the database stays empty. Restore leaves out the parts of the backup that need pgvector: the caller
// creates them again. It needs pg_restore of the version that wrote the backup or newer.
func (d *DB) Restore(ctx context.Context, r io.Reader) (failed error) {
	var tables int
	if err := d.Pool.QueryRow(ctx, countTables).Scan(&tables); err != nil {
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
	schemas, r, err := backupExtensionSchemas(ctx, restore, contents, r)
	if err != nil {
		return err
	}
	if contents, err = d.selectContents(ctx, contents, schemas); err != nil {
		return err
	}
	list, err := listFile(contents)
	if err != nil {
		return err
	}
	defer os.Remove(list) //nolint:errcheck // a temporary file
	undo, err := d.createExtensionSchemas(ctx, contents, schemas)
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

// restoreScript runs the script that pg_restore writes with psql. From version 17 on, pg_restore sets the parameter
// transaction_timeout, which older servers refuse, so restoreScript removes that line.
func (d *DB) restoreScript(ctx context.Context, restore tool, archive io.Reader, args []string) error {
	psql, err := restore.beside("psql")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	script, out := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := execTool(ctx, restore, nil, archive, out, append(args, "--file=-")...)
		out.CloseWithError(err)
		written <- err
	}()
	accepted, in := io.Pipe()
	go func() { in.CloseWithError(copyWithoutLine(in, script, "SET transaction_timeout = 0;\n")) }()
	err = d.run(ctx, psql, accepted, io.Discard,
		"--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--file=-")
	cancel()
	_, _ = script.Close(), accepted.Close()
	if failed := <-written; failed != nil && !errors.Is(failed, context.Canceled) && err == nil {
		return failed
	}
	return err
}

// copyWithoutLine copies a script without the given line, which is one of the first 60 lines.
func copyWithoutLine(w io.Writer, script io.Reader, line string) error {
	r := bufio.NewReader(script)
	for range 60 { // the script begins with its SET statements
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

// readArchive reads the table of contents of a backup. It returns the first pg_restore that can read the backup, the
// table of contents, and the backup from its beginning.
func readArchive(ctx context.Context, r io.Reader, server int) (
	restore tool, contents string, rest io.Reader, err error,
) {
	tools, err := findTools("pg_restore")
	if err != nil {
		return tool{}, "", nil, err
	}
	rest = bufio.NewReaderSize(r, 1<<16)
	for _, restore = range restoreOrder(tools, server) {
		var read, list bytes.Buffer
		err = execTool(ctx, restore, nil, io.TeeReader(rest, &read), &list, "--list")
		rest = io.MultiReader(&read, rest)
		if err == nil {
			return restore, list.String(), rest, nil
		}
		if !strings.Contains(err.Error(), "unsupported version") { // execTool sets the C locale, so the text is English
			return tool{}, "", nil, err
		}
	}
	newest := tools[len(tools)-1]
	return tool{}, "", nil, fmt.Errorf("the backup was written by a newer pg_dump than the pg_restore of version %d that "+
		"is here (%s): install the Postgres client programs of the version that wrote it", newest.major, newest.path)
}

// restoreOrder sorts versions of pg_restore by preference: the server's own version, then the newer ones from the
// oldest on, then the older ones from the newest on. Another version than the server's may set parameters that the
// server does not know. tools are sorted, the oldest first.
func restoreOrder(tools []tool, server int) []tool {
	var same, newer, older []tool
	for _, t := range tools {
		switch {
		case t.major == server:
			same = append(same, t)
		case t.major > server:
			newer = append(newer, t)
		default:
			older = append(older, t)
		}
	}
	slices.Reverse(older)
	return slices.Concat(same, newer, older)
}

// listFile writes a table of contents to a temporary file, for pg_restore --use-list. The caller removes the file.
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
