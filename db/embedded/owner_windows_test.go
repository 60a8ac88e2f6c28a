package embedded

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/sys/windows"
)

// checkOwnersAlone fails the test if others than the owner of a path, administrators and the system may do anything
// with it.
func checkOwnersAlone(t *testing.T, path string) {
	t.Helper()
	descriptor, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		t.Fatal(err)
	}
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		t.Fatal(err)
	}
	// Wine 8 adds what a folder passes on to what is in it, protected or not.
	wine := windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
	for _, ace := range strings.Split(descriptor.String(), "(")[1:] {
		fields := strings.Split(strings.TrimSuffix(ace, ")"), ";")
		if len(fields) < 6 {
			t.Fatalf("%s: %s", path, descriptor)
		}
		switch sid := fields[5]; sid {
		case "BA", "SY", user.User.Sid.String():
		case "WD":
			if !wine {
				t.Errorf("%s lets everybody in: %s", path, descriptor)
			}
		default:
			t.Errorf("%s lets %s in: %s", path, sid, descriptor)
		}
	}
}

// TestContain checks that what a process started ends with its job object.
func TestContain(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("cmd", "/c", "pause")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	job, err := contain(cmd.Process)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		t.Fatalf("it ended before its job: %v", err)
	default:
	}
	if err := job.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		_ = cmd.Process.Kill()
		t.Fatal("it outlived its job")
	}
}

// TestTokenWithout checks that a process with the token is no administrator.
func TestTokenWithout(t *testing.T) {
	t.Parallel()
	administrators, err := windows.CreateWellKnownSid(windows.WinBuiltinAdministratorsSid)
	if err != nil {
		t.Fatal(err)
	}
	token, err := tokenWithout([]*windows.SID{administrators})
	if err != nil {
		t.Fatal(err)
	}
	defer token.Close()
	var asked windows.Token // membership is asked of a token for impersonation
	if err := windows.DuplicateTokenEx(token, windows.TOKEN_QUERY|windows.TOKEN_IMPERSONATE, nil,
		windows.SecurityIdentification, windows.TokenImpersonation, &asked); err != nil {
		t.Fatal(err)
	}
	defer asked.Close()
	if member, err := asked.IsMember(administrators); err != nil || member {
		t.Errorf("member = %v, %v", member, err)
	}
}

// TestServerPath checks that a path with characters outside of the code page is given by its short name.
func TestServerPath(t *testing.T) {
	t.Parallel()
	plain, err := os.MkdirTemp("", "explorer-path-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(plain) }) // Wine 8 cannot
	if got := serverPath(plain); got != plain {
		t.Errorf("serverPath(%q) = %q", plain, got)
	}
	odd := filepath.Join(plain, "Łódź 日本")
	if err := os.Mkdir(odd, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{odd, filepath.Join(odd, "not there yet")} {
		got := serverPath(path)
		if got == path {
			continue // the volume keeps no short names
		}
		if strings.IndexFunc(got, func(r rune) bool { return r > unicode.MaxASCII }) >= 0 {
			t.Errorf("serverPath(%q) = %q", path, got)
		}
		if err := os.WriteFile(filepath.Join(serverPath(odd), "written"), nil, 0o600); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(odd, "written")); err != nil {
			t.Errorf("the short name is of another folder: %v", err)
		}
	}
}

// TestGive checks that a path is closed to others, though its folder is open to them.
func TestGive(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "explorer-give-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, dir} {
		if err := new(Server).Give(path); err != nil {
			t.Fatal(err)
		}
		checkOwnersAlone(t, path)
	}
	if raw, err := os.ReadFile(file); err != nil || string(raw) != "x" {
		t.Errorf("we cannot read it: %q, %v", raw, err)
	}
}
