package db

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// backupExtensionSchemas returns the schema of each extension in a backup, by the extension's name. The table of
// contents does not have it, so pg_restore writes the statements. rest is the backup from its beginning.
func backupExtensionSchemas(ctx context.Context, restore tool, contents string, r io.Reader) (
	schemas map[string]string, rest io.Reader, err error,
) {
	var entries strings.Builder
	for line := range strings.Lines(contents) {
		if extensionEntry.MatchString(line) && !vectorEntry.MatchString(line) {
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
	err = execTool(ctx, restore, nil, io.TeeReader(r, &read), &script, "--schema-only", "--use-list="+list, "--file=-")
	if err != nil {
		return nil, nil, err
	}
	schemas = map[string]string{}
	for _, m := range createExtension.FindAllStringSubmatch(script.String(), -1) {
		schemas[unquoteName(m[1])] = unquoteName(m[2])
	}
	return schemas, io.MultiReader(&read, r), nil
}

// unquoteName returns the name that an SQL identifier stands for, quoted or not.
func unquoteName(name string) string {
	if inner, quoted := strings.CutPrefix(name, `"`); quoted {
		return strings.ReplaceAll(strings.TrimSuffix(inner, `"`), `""`, `"`)
	}
	return name
}

// createExtensionSchemas creates the schemas of extensions that neither the database nor the backup has. undo drops
// them.
func (d *DB) createExtensionSchemas(ctx context.Context, contents string, schemas map[string]string) (
	undo func(), err error,
) {
	var created []string
	undo = func() {
		for _, name := range created {
			_, _ = d.Pool.Exec(context.WithoutCancel(ctx), "DROP SCHEMA "+name) // fails if something uses it meanwhile
		}
	}
	inBackup := map[string]bool{}
	for line := range strings.Lines(contents) {
		if m := schemaEntry.FindStringSubmatch(strings.TrimRight(line, "\r\n")); m != nil {
			inBackup[m[1]] = true
		}
	}
	for _, schema := range schemas {
		exists := inBackup[schema]
		if !exists {
			exists, err = d.schemaExists(ctx, schema)
		}
		if err == nil && !exists {
			name := pgx.Identifier{schema}.Sanitize()
			if _, err = d.Pool.Exec(ctx, "CREATE SCHEMA "+name); err == nil {
				created = append(created, name)
			}
		}
		if err != nil {
			undo()
			return nil, fmt.Errorf("the schema %s, which the backup has extensions in: %w", schema, err)
		}
	}
	return undo, nil
}

// Lines of a table of contents, and statements, as pg_restore writes them.
var (
	// vectorEntry matches the entries that a server without pgvector refuses.
	vectorEntry = regexp.MustCompile(
		`^\d+; \d+ \d+ (INDEX|COMMENT) \S+ (INDEX )?` + VectorIndexPrefix + `|^\d+; \d+ \d+ EXTENSION - vector\b`)
	// extensionComment matches comments on extensions, which only the owner of the extension may write.
	extensionComment = regexp.MustCompile(`^\d+; \d+ \d+ COMMENT - EXTENSION `)
	// extensionEntry matches an extension, createExtension the statement that creates it.
	extensionEntry  = regexp.MustCompile(`^\d+; \d+ \d+ EXTENSION - (\S+)`)
	createExtension = regexp.MustCompile(
		`(?m)^CREATE EXTENSION IF NOT EXISTS ("(?:[^"]|"")+"|\S+) WITH SCHEMA ("(?:[^"]|"")+"|[^\s;]+);`)
	// schemaEntry matches a schema, its comment and its privileges.
	schemaEntry = regexp.MustCompile(`^\d+; \d+ \d+ (?:SCHEMA -|COMMENT - SCHEMA|ACL - SCHEMA) (.+) \S+$`)
	// ourTable matches a table that every backup of this program has, with its schema.
	ourTable = regexp.MustCompile(`(?m)^\d+; \d+ \d+ TABLE (.+) goose_db_version \S*$`)
)

// selectContents returns a table of contents without the entries that the database already has and those that the
// server may refuse. schemas are the schemas of the backup's extensions; selectContents removes the extensions that the
// database already has. An extension must be in the same schema in both, because statements of the backup name that
// schema.
func (d *DB) selectContents(ctx context.Context, contents string, schemas map[string]string) (string, error) {
	ours := ourTable.FindStringSubmatch(contents)
	if ours == nil {
		return "", errors.New("this is no backup of Parliament Explorer: it holds no table goose_db_version")
	}
	if err := d.checkBackupSchema(ctx, ours[1]); err != nil {
		return "", err
	}
	installed, err := d.extensionSchemas(ctx)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for line := range strings.Lines(contents) {
		text := strings.TrimRight(line, "\r\n")
		if vectorEntry.MatchString(text) || extensionComment.MatchString(text) {
			continue
		}
		if m := extensionEntry.FindStringSubmatch(text); m != nil {
			name := m[1]
			is, exists := installed[name]
			if was := schemas[name]; exists && was != "" && was != is {
				return "", fmt.Errorf("the backup has the extension %s in the schema %s, and the database in %s: "+
					"there, drop it or run ALTER EXTENSION %s SET SCHEMA %s",
					name, was, is, pgx.Identifier{name}.Sanitize(), pgx.Identifier{was}.Sanitize())
			}
			if exists {
				delete(schemas, name)
				continue
			}
		}
		if m := schemaEntry.FindStringSubmatch(text); m != nil {
			exists, err := d.schemaExists(ctx, m[1])
			if err != nil {
				return "", err
			}
			if exists {
				continue
			}
		}
		out.WriteString(line)
	}
	return out.String(), nil
}

// checkBackupSchema returns an error if the connection would use another schema than that of the backup once the backup
// is restored.
func (d *DB) checkBackupSchema(ctx context.Context, schema string) error {
	var current *string
	var path string
	var exists bool
	if err := d.Pool.QueryRow(ctx, `
SELECT current_schema()::text, replace(current_setting('search_path'), '"$user"', quote_ident(current_user)),
    EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)`, schema).Scan(&current, &path, &exists); err != nil {
		return err
	}
	at := indexInPath(path, schema)
	if current != nil && !exists && at >= 0 && at < indexInPath(path, *current) {
		current = nil // the restore creates the schema that comes before it
	}
	switch {
	case current != nil && *current != schema:
		return fmt.Errorf("the backup is of the schema %s, and DATABASE_URL leads to the schema %s: "+
			"add search_path=%s to DATABASE_URL", schema, *current, schema)
	case current == nil && at < 0:
		return fmt.Errorf("the backup is of the schema %s, and the search_path of DATABASE_URL is %s: "+
			"set search_path=%s", schema, path, schema)
	}
	return nil
}

func (d *DB) schemaExists(ctx context.Context, schema string) (exists bool, err error) {
	err = d.Pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)`, schema).Scan(&exists)
	return exists, err
}

// extensionSchemas returns the schema of each extension of the database, by the extension's name.
func (d *DB) extensionSchemas(ctx context.Context) (map[string]string, error) {
	rows, err := d.Pool.Query(ctx, `
SELECT e.extname::text, n.nspname::text FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace`)
	if err != nil {
		return nil, err
	}
	installed := map[string]string{}
	var name, schema string
	_, err = pgx.ForEachRow(rows, []any{&name, &schema}, func() error { installed[name] = schema; return nil })
	return installed, err
}

// indexInPath returns the position of a schema in a search_path, -1 if it is not in it.
func indexInPath(path, schema string) int {
	return slices.IndexFunc(strings.Split(path, ","), func(name string) bool {
		name = strings.TrimSpace(name)
		return name == schema || name == (pgx.Identifier{schema}).Sanitize()
	})
}
