package cli_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
)

// TestDoctorCountsConnections gives the role fewer and fewer connections: the doctor says what to set, a process that
// may open more than are free says so when it starts, and one that cannot work does not start.
func TestDoctorCountsConnections(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	database := c.Config().Database
	role := "r_" + database
	if _, err := c.Exec(t.Context(),
		"CREATE ROLE "+role+" LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO "+role); err != nil {
		t.Fatal(err)
	}
	defer c.Exec(t.Context(), "DROP OWNED BY "+role+"; DROP ROLE "+role)
	env := []string{"DATABASE_URL=" + strings.Replace(url, "user=explorer", "user="+role, 1),
		"OPENPARLIAMENT_URL=http://127.0.0.1:1", "LEGISINFO_URL=http://127.0.0.1:1"}
	limit := func(n string) {
		t.Helper()
		if _, err := c.Exec(t.Context(), "ALTER ROLE "+role+" CONNECTION LIMIT "+n); err != nil {
			t.Fatal(err)
		}
	}
	if res := run(t, env, "doctor"); !strings.Contains(res.out,
		"ok    connections            Postgres gives role "+role+" 197") ||
		!strings.Contains(res.out, "a server opens 12 at most and a worker 14") {
		t.Errorf("enough: %s%s", res.out, res.err)
	}
	limit("9")
	if res := run(t, env, "doctor"); !strings.Contains(res.out, "warn  connections") ||
		!strings.Contains(res.out, "ALTER ROLE "+role+" CONNECTION LIMIT 15") {
		t.Errorf("two of each do not fit: %s%s", res.out, res.err)
	}
	limit("2")
	if res := run(t, env, "doctor"); res.code == 0 || !strings.Contains(res.out, "FAIL  connections") ||
		!strings.Contains(res.out, "CONNECTION LIMIT 18") {
		t.Errorf("too few to work: %d: %s%s", res.code, res.out, res.err)
	}
	for _, command := range []string{"serve", "worker"} {
		if res := run(t, append(env, "ADDR=127.0.0.1:0"), command); res.code == 0 ||
			!strings.Contains(res.err, "CONNECTION LIMIT 18") {
			t.Errorf("%s with too few: %d: %s", command, res.code, res.err)
		}
	}
	for _, wrong := range []string{"DATABASE_CONNECTIONS=2", "DATABASE_CONNECTIONS=1001", "DATABASE_CONNECTIONS=-1",
		"DATABASE_CONNECTIONS=many"} {
		if res := run(t, append(env, wrong), "worker"); res.code != 2 || !strings.Contains(res.err, "CONNECTIONS") &&
			!strings.Contains(res.err, "connections") {
			t.Errorf("%s: %d: %s", wrong, res.code, res.err)
		}
	}
	if res := run(t, []string{"DATABASE_DIRECT_URL=postgres://u:hunter2@127.0.0.1:1/x"}, "worker"); res.code != 2 ||
		!strings.Contains(res.err, "DATABASE_URL") {
		t.Errorf("a direct address alone: %d: %s", res.code, res.err)
	}
	limit("-1")
	elsewhere := append(env, "DATABASE_DIRECT_URL="+strings.Replace(env[0], "dbname="+database, "dbname=postgres",
		1)[len("DATABASE_URL="):])
	if res := run(t, elsewhere, "worker"); res.code != 1 || !strings.Contains(res.err, "another database") {
		t.Errorf("a direct address of another database: %d: %s", res.code, res.err)
	}
	if res := run(t, append(env, "DATABASE_DIRECT_URL=postgres://u:hunter2@127.0.0.1:1/x"),
		"doctor"); !strings.Contains(res.out, "FAIL  database               DATABASE_DIRECT_URL") ||
		strings.Contains(res.out+res.err, "hunter2") {
		t.Errorf("a direct address where nobody is: %s%s", res.out, res.err)
	}
}
