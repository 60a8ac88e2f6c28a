//go:build unix

package embedded

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestBarred checks every folder on the way to a path, also the way of a link and to what is not there yet.
func TestBarred(t *testing.T) {
	t.Parallel()
	root := filepath.Dir(tcpFolder(t))
	closed, open := filepath.Join(root, "closed"), filepath.Join(root, "open")
	for path, mode := range map[string]os.FileMode{closed: 0o700, filepath.Join(closed, "inner"): 0o755, open: 0o755} {
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(open, "link")
	if err := os.Symlink(filepath.Join(closed, "inner"), link); err != nil {
		t.Fatal(err)
	}
	stranger := &owner{name: "stranger", uid: 54321, gid: 54321}
	ourselves := &owner{name: "ourselves", uid: uint32(os.Geteuid()), gid: uint32(os.Getegid())}
	for _, c := range []struct {
		who  *owner
		path string
		want string
	}{
		{stranger, open, ""}, {stranger, filepath.Join(open, "to", "be", "made"), ""}, {stranger, closed, closed},
		{stranger, filepath.Join(closed, "inner", "to", "be", "made"), closed}, {stranger, link, closed}, {stranger, filepath.Join(link, "made"), closed},
		{ourselves, filepath.Join(link, "made"), ""}, {nil, link, ""},
	} {
		if got, err := c.who.barred(c.path); err != nil || got != c.want {
			t.Errorf("barred(%s) = %q, %v, want %q", c.path, got, err, c.want)
		}
	}
}

// TestPlaces has a folder for caches that root may use and the server's user cannot enter.
func TestPlaces(t *testing.T) {
	closed := t.TempDir() // in a folder that is for us alone
	t.Setenv("XDG_CACHE_HOME", closed)
	places := Source{}.places()
	shared := slices.ContainsFunc(places, func(place string) bool {
		return place == "/var/cache/parliament-explorer/postgres" || place == "/Library/Caches/parliament-explorer/postgres"
	})
	if places[0] != filepath.Join(closed, "parliament-explorer", "postgres") || shared != (os.Geteuid() == 0) {
		t.Errorf("with a closed folder: %v", places)
	}
	open := filepath.Dir(tcpFolder(t))
	t.Setenv("XDG_CACHE_HOME", open)
	if places := (Source{}).places(); len(places) != 2 ||
		places[0] != filepath.Join(open, "parliament-explorer", "postgres") {
		t.Errorf("with an open folder: %v", places)
	}
}
