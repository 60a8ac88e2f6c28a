package dbtest

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db/embedded"
)

// Tools skips a test that needs Postgres's client programs where there are none: fetched server binaries have none.
func Tools(t testing.TB) {
	t.Helper()
	for _, name := range []string{"pg_dump", "pg_restore"} {
		if _, err := exec.LookPath(name); err == nil {
			continue
		}
		here := false
		for _, bin := range embedded.Folders() {
			_, err := exec.LookPath(filepath.Join(bin, name))
			here = here || err == nil
		}
		if !here {
			t.Skip("this needs " + name + ", which is not here")
		}
	}
}
