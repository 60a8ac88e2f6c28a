package dbtest

import (
	osexec "os/exec" // this package has an exec
	"path/filepath"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db/embedded"
)

// Tools skips a test that needs Postgres's client programs where there are none: fetched server binaries have none.
func Tools(t testing.TB) {
	t.Helper()
	for _, name := range []string{"pg_dump", "pg_restore"} {
		if _, err := osexec.LookPath(name); err == nil {
			continue
		}
		here := false
		for _, bin := range embedded.Folders() {
			_, err := osexec.LookPath(filepath.Join(bin, name))
			here = here || err == nil
		}
		if !here {
			t.Skip("this needs " + name + ", which is not here")
		}
	}
}
