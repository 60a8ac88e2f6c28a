package cli_test

import (
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
)

// TestDoctorOfPostgres tells what a database is set to that the program cannot work with, and what to do about it.
func TestDoctorOfPostgres(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	env := []string{"DATABASE_URL=" + d.URL, "OPENPARLIAMENT_URL=http://127.0.0.1:1", "LEGISINFO_URL=http://127.0.0.1:1",
		"EXPLORER_URL=http://127.0.0.1:1"}
	well := run(t, env, "doctor")
	if !strings.Contains(well.out, "writes                 are taken") || strings.Contains(well.out, "FAIL") ||
		strings.Contains(well.out, "extension") {
		t.Errorf("a database without faults:\n%s%s", well.out, well.err)
	}
	var name string
	if err := d.Pool.QueryRow(t.Context(), "SELECT current_database()").Scan(&name); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		`CREATE SCHEMA "Hidden"`, `ALTER EXTENSION unaccent SET SCHEMA "Hidden"`, "DROP EXTENSION pg_trgm CASCADE",
		"ALTER DATABASE " + name + " SET statement_timeout = '5s'",
		"ALTER DATABASE " + name + " SET default_transaction_read_only = on",
	} {
		if _, err := d.Pool.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	ill := run(t, env, "doctor")
	for _, want := range []string{
		"FAIL  writes", "default_transaction_read_only", "warn  extension pg_trgm", "FAIL  extension unaccent",
		"is in the schema Hidden", "ALTER EXTENSION unaccent SET SCHEMA public", "statement_timeout is 5s",
	} {
		if !strings.Contains(ill.out, want) {
			t.Errorf("%q is not in\n%s%s", want, ill.out, ill.err)
		}
	}
	if ill.code == 0 {
		t.Error("it did not fail")
	}
}
