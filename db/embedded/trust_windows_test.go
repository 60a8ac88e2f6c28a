package embedded

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/windows"
)

func sidOf(t *testing.T, text string) *windows.SID {
	t.Helper()
	sid, err := windows.StringToSid(text)
	if err != nil {
		t.Fatal(err)
	}
	return sid
}

// TestTrusted checks whose folders are taken for ours.
func TestTrusted(t *testing.T) {
	t.Parallel()
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		t.Fatal(err)
	}
	for sid, want := range map[string]bool{
		user.User.Sid.String(): true, "S-1-5-32-544": true, "S-1-5-18": true, // ourselves, administrators, the system
		"S-1-1-0": false, "S-1-5-32-545": false, "S-1-5-21-1-2-3-4567": false, // everybody, users, somebody else
	} {
		if got, err := ours(sidOf(t, sid)); err != nil || got != want {
			t.Errorf("ours(%s) = %t, %v", sid, got, err)
		}
	}
	dir, err := os.MkdirTemp("", "explorer-trusted-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if !trusted(dir) || trusted(file) || trusted(filepath.Join(dir, "none")) {
		t.Errorf("trusted: our folder %t, a file %t, nothing %t", trusted(dir), trusted(file),
			trusted(filepath.Join(dir, "none")))
	}
	if err := (&Server{cfg: Config{Dir: dir}}).checkOwner(); err != nil {
		t.Error(err)
	}
	if err := (&Server{cfg: Config{Dir: filepath.Join(dir, "none")}}).checkOwner(); err == nil {
		t.Error("what is not there has an owner")
	}
	if other := os.Getenv("EXPLORER_TEST_FOREIGN_DIR"); other != "" { // only another user can make it
		if err := (&Server{cfg: Config{Dir: other}}).checkOwner(); trusted(other) || err == nil ||
			!strings.Contains(err.Error(), "belongs to another user") {
			t.Errorf("another user's folder: trusted %t, %v", trusted(other), err)
		}
	}
}

// TestPlaces checks that no folder is used that others write to.
func TestPlaces(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("LOCALAPPDATA", `C:\mine`)
	if places := (Source{}).places(); len(places) != 1 || places[0] != `C:\mine\parliament-explorer\postgres` {
		t.Errorf("places = %v", places)
	}
	t.Setenv("LOCALAPPDATA", "")
	if places := (Source{}).places(); len(places) != 0 {
		t.Errorf("without a profile: %v", places)
	}
	t.Setenv("XDG_CACHE_HOME", `C:\given`)
	if places := (Source{}).places(); len(places) != 1 || places[0] != `C:\given\parliament-explorer\postgres` {
		t.Errorf("with a given one: %v", places)
	}
}
