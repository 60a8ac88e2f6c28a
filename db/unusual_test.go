package db_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
)

// TestUnusualDatabase migrates and uses a database whose owner is no superuser, with a schema of its own, another
// collation, and settings that are legal and that nobody would choose.
func TestUnusualDatabase(t *testing.T) {
	t.Parallel()
	near := dbtest.New(t)
	name := dbName(t, near) + "_unusual"
	admin := func(sql string) {
		t.Helper()
		if _, err := near.Pool.Exec(context.WithoutCancel(t.Context()), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	admin("CREATE ROLE " + name + " LOGIN")
	t.Cleanup(func() { admin("DROP ROLE " + name) })
	admin(fmt.Sprintf("CREATE DATABASE %s OWNER %[1]s TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE "+
		"'C.UTF-8'", name))
	t.Cleanup(func() { admin("DROP DATABASE " + name + " WITH (FORCE)") })
	for setting, value := range map[string]string{
		"statement_timeout": "'10ms'", "idle_in_transaction_session_timeout": "'1ms'", "default_transaction_isolation": "serializable",
		"DateStyle": "'German'", "IntervalStyle": "sql_standard", "bytea_output": "escape", "TimeZone": "'Asia/Kolkata'", "row_security": "off",
		"standard_conforming_strings": "off", "extra_float_digits": "'-10'", "search_path": `"Own Schema", public`,
	} {
		var there bool
		err := near.Pool.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_settings WHERE lower(name) = lower($1))",
			setting).Scan(&there)
		if err != nil {
			t.Fatal(err)
		}
		if there {
			admin(fmt.Sprintf("ALTER ROLE %s SET %s = %s", name, setting, value))
		}
	}
	d := open(t, near, "user", name, "dbname", name)
	if got := dbName(t, d); got != name {
		t.Fatalf("connected to %s", got)
	}
	mustExec(t, d, `CREATE SCHEMA "Own Schema"`)
	d.Close()
	d = open(t, near, "user", name, "dbname", name) // sessions that began without the schema are not the subject
	if _, err := d.MigrateUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := d.CheckMigrated(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := d.Examine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.StatementTimeout != 10*time.Millisecond || s.Schema != "Own Schema" || !s.MayCreate || s.Standby || s.ReadOnly ||
		!s.KnowsToronto || s.Encoding != "UTF8" || s.Role != name {
		t.Errorf("%+v", s)
	}
	for _, e := range s.Extensions {
		if !e.InPath || e.Schema != "Own Schema" {
			t.Errorf("%+v", e)
		}
	}
	if tables, err := d.Storage(t.Context()); err != nil || len(tables) < 20 {
		t.Errorf("%d tables, %v", len(tables), err)
	}
	var words, moment string
	var at time.Time
	err = d.Pool.QueryRow(t.Context(), `SELECT explorer_words('L''Économie “verte” & co'),
		'2026-06-18 12:00+00'::timestamptz::text, now()`).Scan(&words, &moment, &at)
	if err != nil || words != "l economie verte co" || moment != "2026-06-18 12:00:00+00" ||
		time.Since(at).Abs() > time.Hour {
		t.Errorf("%q, %q, %s, %v", words, moment, at, err)
	}
	err = d.Tx(t.Context(), func(tx pgx.Tx) error {
		var level string
		if err := tx.QueryRow(t.Context(), "SHOW transaction_isolation").Scan(&level); err != nil ||
			level != "read committed" {
			t.Errorf("isolation: %s, %v", level, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := d.CheckWritable(t.Context()); err != nil {
		t.Error(err)
	}
	for {
		undone, err := d.MigrateDown(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(undone) == 0 || undone[0].Source == "river" {
			break
		}
	}
}

// TestExamine finds what a database lacks.
func TestExamine(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	name := dbName(t, d)
	mustExec(t, d, `CREATE SCHEMA "Hidden"; ALTER EXTENSION unaccent SET SCHEMA "Hidden"; DROP EXTENSION pg_trgm CASCADE`)
	mustExec(t, d, fmt.Sprintf("ALTER DATABASE %s SET default_transaction_read_only = on; ALTER DATABASE %[1]s SET "+
		"lock_timeout = '5s'", name))
	again := open(t, d)
	s, err := again.Examine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []db.ExtensionState{{Name: "pg_trgm", Available: true}, {Name: "unaccent", Available: true, Schema: "Hidden"}}
	if !s.ReadOnly || s.LockTimeout != 5*time.Second || s.StatementTimeout != 0 || len(s.Extensions) != 2 ||
		s.Extensions[0] != want[0] || s.Extensions[1] != want[1] {
		t.Errorf("%+v", s)
	}
}
