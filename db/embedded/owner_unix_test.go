//go:build unix

package embedded

import (
	"os"
	"testing"
)

// checkOwnersAlone fails the test if others than the owner of a path may do anything with it.
func checkOwnersAlone(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		t.Errorf("%s has mode %o", path, mode)
	}
}
