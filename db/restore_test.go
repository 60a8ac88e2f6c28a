package db_test

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/parliament/pgvector"
)

// open opens a database with more settings in its address: names and values in turn.
func open(t *testing.T, d *db.DB, more ...string) *db.DB {
	t.Helper()
	address := d.URL
	for i := 0; i < len(more); i += 2 {
		switch {
		case !strings.Contains(address, "://"):
			address += " " + more[i] + "='" + more[i+1] + "'"
		case strings.Contains(address, "?"):
			address += "&" + more[i] + "=" + url.PathEscape(more[i+1])
		default:
			address += "?" + more[i] + "=" + url.PathEscape(more[i+1])
		}
	}
	opened, err := db.Open(t.Context(), db.Config{URL: address, MaxConns: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(opened.Close)
	return opened
}

func mustExec(t *testing.T, d *db.DB, sql string) {
	t.Helper()
	if _, err := d.Pool.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// TestBackupKnowsItsAddress has settings in DATABASE_URL that libpq does not know, and a schema that is not public: one
// that is there when the backup is restored, and one that is not. A schema of somebody else stays out of the backup.
func TestBackupKnowsItsAddress(t *testing.T) {
	t.Parallel()
	dbtest.Tools(t)
	settings := []string{"pool_max_conns", "3", "default_query_exec_mode", "cache_describe", "statement_cache_capacity",
		"0", "statement_timeout", "59000", "search_path", `"my Bills"`}
	for name, there := range map[string]bool{"the schema is there": true, "the schema is not there": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from := dbtest.New(t)
			mustExec(t, from, `DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE SCHEMA "my Bills";
				CREATE TABLE public.others (i integer)`)
			d := open(t, from, settings...)
			if _, err := d.MigrateUp(t.Context()); err != nil {
				t.Fatal(err)
			}
			mustExec(t, d, `INSERT INTO schedules VALUES ('s', true, now());
				INSERT INTO sessions VALUES ('token', 'x', now() + interval '1 day')`)
			var backup bytes.Buffer
			if err := d.Backup(t.Context(), &backup); err != nil {
				t.Fatal(err)
			}
			elsewhere := emptyDatabase(t)
			if err := elsewhere.Restore(t.Context(), bytes.NewReader(backup.Bytes())); err == nil ||
				!strings.Contains(err.Error(), "search_path=my Bills") {
				t.Errorf("into another schema: %v", err)
			}
			if there {
				mustExec(t, elsewhere, `CREATE SCHEMA "my Bills"`)
			}
			to := open(t, elsewhere, settings...)
			if err := to.Restore(t.Context(), bytes.NewReader(backup.Bytes())); err != nil {
				t.Fatal(err)
			}
			var schedules, sessions int
			var others bool
			err := to.Pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM schedules), (SELECT count(*) FROM sessions),
				to_regclass('public.others') IS NOT NULL`).Scan(&schedules, &sessions, &others)
			if err != nil || schedules != 1 || sessions != 0 || others {
				t.Errorf("%d schedules, %d sessions, somebody else's table: %t, %v", schedules, sessions, others, err)
			}
			if err := to.CheckMigrated(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// withVector makes pgvector, or skips the test where the server does not have it.
func withVector(t *testing.T, d *db.DB, schema string) {
	t.Helper()
	var there bool
	if err := d.Pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector')`).
		Scan(&there); err != nil {
		t.Fatal(err)
	}
	if !there {
		t.Skip("needs pgvector, which is not here")
	}
	mustExec(t, d, "CREATE SCHEMA IF NOT EXISTS "+schema+"; CREATE EXTENSION vector SCHEMA "+schema)
}

// embed stores a bill's embedding.
func embed(t *testing.T, d *db.DB, bill, model, embedding string) {
	t.Helper()
	tx, err := d.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.WithoutCancel(t.Context()))
	if _, err := tx.Exec(t.Context(), "SET LOCAL session_replication_role = replica"); err != nil { // without the bill
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `INSERT INTO embeddings (bill_id, language, model, hash, embedding, created_at)
		VALUES ($1, 'en', $2, 'x', $3::text::real[], now())`, bill, model, embedding); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestVectorIndex goes through the life of the index: it is made for the model and the size that there are, names the
// extension's schema, is dropped with its model, and made again when it was left half made.
func TestVectorIndex(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	withVector(t, d, `"out of Reach"`)
	const model = `it's a \ model`
	if _, err := pgvector.Find(t.Context(), d, model, 2); err == nil {
		t.Error("there is an index before it was made")
	}
	embed(t, d, "44-1/C-1", model, "{1,0}")
	embed(t, d, "44-1/C-2", model, "{0,1}")
	embed(t, d, "44-1/C-3", model, "{1,0,0}") // of another size, as after a change of the model
	if made, err := pgvector.Ensure(t.Context(), d, model, 2); err != nil || !made {
		t.Fatalf("made: %t, %v", made, err)
	}
	for range 20 { // each finds the lock of the one before released
		if made, err := pgvector.Ensure(t.Context(), d, model, 2); err != nil || made {
			t.Fatalf("made again: %t, %v", made, err)
		}
	}
	ix, err := pgvector.Find(t.Context(), d, model, 2)
	if err != nil {
		t.Fatal(err)
	}
	found, _, err := ix.Nearest(t.Context(), d, []float32{0, 1}, 10, nil)
	if err != nil || len(found) != 2 || found[0].BillID != "44-1/C-2" || found[0].Distance != -1 {
		t.Errorf("found %v, %v", found, err)
	}
	if _, err := d.Pool.Exec(t.Context(), `UPDATE pg_index SET indisvalid = false
		WHERE indexrelid::regclass::text LIKE 'embeddings_vector_%'`); err != nil {
		t.Fatal(err)
	}
	var problem *pgvector.Problem
	if _, err := pgvector.Find(t.Context(), d, model, 2); !errors.As(err, &problem) {
		t.Errorf("a half-made index is used: %v", err)
	}
	if made, err := pgvector.Ensure(t.Context(), d, model, 2); err != nil || !made {
		t.Errorf("after one that was left half made: %t, %v", made, err)
	}
	if made, err := pgvector.Ensure(t.Context(), d, model, 3); err != nil || !made {
		t.Errorf("of another size: %t, %v", made, err)
	}
	var n int
	if err := d.Pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'embeddings_vector_%'`).
		Scan(&n); err != nil || n != 1 {
		t.Errorf("%d indexes: %v", n, err)
	}
	if _, err := pgvector.Ensure(t.Context(), d, model, 5000); !errors.As(err, &problem) {
		t.Errorf("of 5,000 numbers: %v", err)
	}
}

// TestRoleWithoutVector asks as a role that may not create the extension, and as one that may not use its schema.
func TestRoleWithoutVector(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	withVector(t, d, "hidden")
	role := "without_vector_" + dbName(t, d)
	mustExec(t, d, "CREATE ROLE "+role+" LOGIN; GRANT USAGE ON SCHEMA public TO "+role+`;
		GRANT SELECT ON ALL TABLES IN SCHEMA public TO `+role)
	t.Cleanup(func() {
		if _, err := d.Pool.Exec(context.WithoutCancel(t.Context()), "DROP OWNED BY "+role+"; DROP ROLE "+role); err != nil {
			t.Error(err)
		}
	})
	as := open(t, d, "user", role)
	var problem *pgvector.Problem
	if _, err := pgvector.Find(t.Context(), as, "m", 2); !errors.As(err, &problem) ||
		!strings.Contains(problem.Remedy, `GRANT USAGE ON SCHEMA "hidden"`) {
		t.Errorf("without the right to use its schema: %v", err)
	}
	mustExec(t, d, "DROP EXTENSION vector")
	if _, err := pgvector.Ensure(t.Context(), as, "m", 2); !errors.As(err, &problem) ||
		!strings.Contains(problem.Remedy, "CREATE EXTENSION vector") {
		t.Errorf("without the right to create it: %v", err)
	}
}

func dbName(t *testing.T, d *db.DB) (name string) {
	t.Helper()
	if err := d.Pool.QueryRow(t.Context(), "SELECT current_database()").Scan(&name); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestBackupWithoutVector restores a backup of a database that uses pgvector: nothing in it needs the extension, and
// the index is made anew where it can be had.
func TestBackupWithoutVector(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	withVector(t, d, "public")
	if made, err := pgvector.Ensure(t.Context(), d, "m", 2); err != nil || !made {
		t.Fatalf("made: %t, %v", made, err)
	}
	var backup bytes.Buffer
	if err := d.Backup(t.Context(), &backup); err != nil {
		t.Fatal(err)
	}
	empty := emptyDatabase(t)
	if err := empty.Restore(t.Context(), bytes.NewReader(backup.Bytes())); err != nil {
		t.Fatal(err)
	}
	if err := pgvector.EnsureAll(t.Context(), empty); err != nil {
		t.Fatal(err)
	}
	var extension, index bool
	err := empty.Pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'vector'),
		EXISTS (SELECT FROM pg_indexes WHERE indexname LIKE 'embeddings_vector_%')`).Scan(&extension, &index)
	if err != nil || extension || index {
		t.Errorf("the extension came along: %t, the index: %t, %v", extension, index, err)
	}
	if err := empty.CheckMigrated(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestRestoreExtensionsElsewhere has the extensions in a schema of their own, as Supabase has: it is made where it is
// missing, and not left behind by a restore that fails. What is there already is used, or named if it does not fit.
func TestRestoreExtensionsElsewhere(t *testing.T) {
	t.Parallel()
	dbtest.Tools(t)
	const setUp = `DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE SCHEMA app; CREATE SCHEMA "my Extensions"; `
	const made = `CREATE EXTENSION pg_trgm SCHEMA "my Extensions"; CREATE EXTENSION unaccent SCHEMA "my Extensions"`
	settings := []string{"search_path", `app,"my Extensions"`}
	from := dbtest.New(t)
	mustExec(t, from, setUp+made)
	d := open(t, from, settings...)
	if _, err := d.MigrateUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustExec(t, d, `INSERT INTO schedules VALUES ('s', true, now())`)
	var backup bytes.Buffer
	if err := d.Backup(t.Context(), &backup); err != nil {
		t.Fatal(err)
	}
	for name, how := range map[string]struct{ sql, says string }{
		"nothing is there":        {sql: ""},
		"the schema is there":     {sql: `CREATE SCHEMA "my Extensions"`},
		"the extensions are":      {sql: `CREATE SCHEMA "my Extensions"; ` + made},
		"one extension is":        {sql: `CREATE SCHEMA "my Extensions"; CREATE EXTENSION unaccent SCHEMA "my Extensions"`},
		"they are somewhere else": {sql: `CREATE EXTENSION unaccent SCHEMA public`, says: `ALTER EXTENSION "unaccent" SET SCHEMA "my Extensions"`},
		"it fails":                {sql: `CREATE SCHEMA app; CREATE TYPE app.schedules AS (i integer)`, says: "schedules"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			elsewhere := emptyDatabase(t)
			if how.sql != "" {
				mustExec(t, elsewhere, how.sql)
			}
			to := open(t, elsewhere, settings...)
			err := to.Restore(t.Context(), bytes.NewReader(backup.Bytes()))
			if how.says != "" {
				var left bool
				if err == nil || !strings.Contains(err.Error(), how.says) {
					t.Errorf("it says %v", err)
				}
				if err := to.Pool.QueryRow(t.Context(), `SELECT to_regnamespace('"my Extensions"') IS NOT NULL`).
					Scan(&left); err != nil || left {
					t.Errorf("its schema stays: %t, %v", left, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var schedules int
			var words string
			if err := to.Pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM schedules), explorer_words('Économie')`).
				Scan(&schedules, &words); err != nil || schedules != 1 || words != "economie" {
				t.Errorf("%d schedules, %q, %v", schedules, words, err)
			}
		})
	}
}
