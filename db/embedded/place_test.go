//go:build unix

package embedded_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db/embedded"
)

// TestPlaceBehindALink checks that nothing is created in the target of a link that belongs to another user.
func TestPlaceBehindALink(t *testing.T) {
	t.Parallel()
	jar, elsewhere := whole(), place(t)
	if err := errors.Join(os.MkdirAll(elsewhere, 0o755), os.Chmod(elsewhere, 0o711)); err != nil {
		t.Fatal(err)
	}
	link := filepath.Dir(place(t))
	if err := os.Symlink(elsewhere, link); err != nil {
		t.Fatal(err)
	}
	server := repository(t, give(jar))
	behind := filepath.Join(link, "postgres")
	fails(t, embedded.Source{Binaries: server.URL}.With(altered(jar, behind)), behind, "cannot be kept anywhere",
		behind+" can be changed by others")
	entries, err := os.ReadDir(elsewhere)
	if err != nil || len(entries) != 0 {
		t.Errorf("behind the link: %v, %v", entries, err)
	}
	if info, err := os.Stat(elsewhere); err != nil || info.Mode().Perm() != 0o711 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
}

// TestPlaceClosedToTheServer has a cache below a folder that root alone may enter, and a copy in it. A server that runs
// as ourselves can use it.
func TestPlaceClosedToTheServer(t *testing.T) {
	t.Parallel()
	jar, closed, good := whole(), place(t), place(t)
	server := repository(t, give(jar))
	source := embedded.Source{Binaries: server.URL}
	fetches(t, source.With(altered(jar, closed)), closed)
	if err := os.Chmod(filepath.Dir(filepath.Dir(closed)), 0o700); err != nil {
		t.Fatal(err)
	}
	want := closed
	if os.Geteuid() == 0 {
		want = good
		fails(t, source.With(altered(jar, filepath.Join(filepath.Dir(closed), "none"))),
			filepath.Join(filepath.Dir(closed), "none"),
			"cannot be kept anywhere", "as whom root runs Postgres, cannot enter "+filepath.Dir(filepath.Dir(closed)))
		if a := source.With(altered(jar, closed, good)).Search("").Fetch; a == nil || filepath.Dir(a.To) != good {
			t.Errorf("what would be fetched: %+v", a)
		}
	}
	fetches(t, source.With(altered(jar, closed, good)), want)
	if _, err := os.Stat(filepath.Join(filepath.Dir(closed), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that cannot be used was made: %v", err)
	}
}
