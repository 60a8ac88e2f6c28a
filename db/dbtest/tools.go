package dbtest

import (
	"context"
	osexec "os/exec" // this package has an exec
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db/embedded"
)

// Tools skips a test that needs Postgres's client programs where there are none that can read the server that the tests
// use: fetched server binaries have none.
func Tools(t testing.TB) {
	t.Helper()
	dsn := URL(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // a short-lived connection
	var version int
	err = conn.QueryRow(t.Context(), `SELECT current_setting('server_version_num')::integer`).Scan(&version)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pg_dump", "pg_restore"} {
		paths := []string{name}
		for _, bin := range embedded.Folders() {
			paths = append(paths, filepath.Join(bin, name))
		}
		newest := 0
		for _, path := range paths {
			newest = max(newest, majorOf(path))
		}
		if newest < version/10000 {
			t.Skipf("this needs %s of Postgres %d, which is not here", name, version/10000)
		}
	}
}

// majorOf is the major version of one of Postgres's programs; 0 if it does not run.
func majorOf(path string) int {
	out, err := osexec.CommandContext(context.Background(), path, "--version").Output() //nolint:gosec // a program's name
	if err != nil {
		return 0
	}
	for _, word := range strings.Fields(string(out)) { // pg_dump (PostgreSQL) 15.18 (Debian ...)
		if major, err := strconv.Atoi(strings.SplitN(word, ".", 2)[0]); err == nil {
			return major
		}
	}
	return 0
}

// Beside skips a test that needs another program of a server's own version where it is not: fetched server binaries
// have no more than the server.
func Beside(t testing.TB, e *embedded.Server, name string) {
	t.Helper()
	if path := e.Command(name).Path; path != "" {
		if _, err := osexec.LookPath(path); err != nil {
			t.Skipf("this needs %s, which is not here", path)
		}
	}
}
