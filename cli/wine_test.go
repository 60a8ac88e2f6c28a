//go:build linux

package cli_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db/embedded"
)

// windowsProgram is the program built for Windows, with what runs it here.
type windowsProgram struct {
	t   *testing.T
	exe string
	env []string
}

// newWindowsProgram wants EXPLORER_WINDOWS, the program, and Wine. .ci/platforms has both.
func newWindowsProgram(t *testing.T, env ...string) *windowsProgram {
	t.Helper()
	exe := os.Getenv("EXPLORER_WINDOWS")
	if _, err := exec.LookPath("wine"); err != nil || exe == "" {
		t.Skip("wine and EXPLORER_WINDOWS, the program built for Windows, are not here: .ci/platforms runs this test")
	}
	return &windowsProgram{t, exe, append(os.Environ(), env...)}
}

func (p *windowsProgram) command(args ...string) *exec.Cmd {
	cmd := exec.Command("wine", append([]string{p.exe}, args...)...)
	cmd.Env = p.env
	return cmd
}

// run runs a command to its end, which must be with a code.
func (p *windowsProgram) run(code int, args ...string) result {
	p.t.Helper()
	cmd := p.command(args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	r := result{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
	if r.code != code {
		p.t.Fatalf("%v: exit %d, want %d\n%s\n%s", args, r.code, code, r.out, r.err)
	}
	return r
}

// background runs a command until the test ends, or stop is called. It is ready once it printed a line that matches.
func (p *windowsProgram) background(pattern string, args ...string) (match string, stop func()) {
	p.t.Helper()
	cmd := p.command(args...)
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- cmd.Wait()
		w.Close()
	}()
	read(r, pattern, func(m []string) bool { match = m[1]; return false })
	if match == "" {
		p.t.Fatalf("%v did not become ready: %v", args, <-ended)
	}
	go io.Copy(io.Discard, r)
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		_ = cmd.Process.Signal(syscall.SIGINT) // Wine makes a Ctrl-C of it
		select {
		case err := <-ended:
			if err != nil {
				p.t.Errorf("%v ended: %v", args, err)
			}
		case <-time.After(20 * time.Second):
			_ = cmd.Process.Kill()
			p.t.Errorf("%v does not end", args)
		}
	}
	p.t.Cleanup(stop)
	return match, stop
}

// TestWindows runs the program for Windows under Wine, against a Postgres and sources of this machine.
func TestWindows(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "explorer-wine-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	p := newWindowsProgram(t)
	postgres, err := embedded.Start(t.Context(), embedded.Config{Dir: filepath.Join(dir, "postgres"),
		Logger: slog.New(slog.DiscardHandler), Settings: map[string]string{"fsync": "off"}, TCP: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = postgres.Stop() })
	sources := background(t, nil, `OPENPARLIAMENT_URL=(http://\S+)`, "simulate", "--addr", "127.0.0.1:0")
	p.env = append(p.env, "DATABASE_URL="+postgres.URL(), "OPENPARLIAMENT_URL="+sources,
		"LEGISINFO_URL="+sources+"/legisinfo", "OPENPARLIAMENT_RPS=0", "LEGISINFO_RPS=0",
		"LOG_FORMAT=text", "LOG_LEVEL=info")

	if r := p.run(1, "serve", "--addr", "127.0.0.1:0"); !strings.Contains(r.err, "migrate up") {
		t.Errorf("serve on an empty database: %s", r.err)
	}
	p.run(0, "migrate", "up")
	if r := p.run(0, "migrate", "status"); !strings.Contains(r.out, "00001") {
		t.Errorf("migrate status: %s", r.out)
	}
	url, stopServer := p.background(`msg=ready url=(http://\S+)`, "serve", "--addr", "127.0.0.1:0")
	_, stopWorker := p.background(`msg=ready worker_id=(\S+)`, "worker")
	p.env = append(p.env, "EXPLORER_URL="+url)

	if r := p.run(0, "materialize", "fetch_latest_bills", "--config", "limit: 20"); !strings.Contains(r.out,
		"bills_fetched") || !strings.Contains(r.err+r.out, "run succeeded") {
		t.Errorf("materialize: %s\n%s", r.out, r.err)
	}
	p.run(2, "materialize", "fetch_latest_bills", "--config", `{"limit": 501}`)
	p.run(0, "schedules", "start", "fetch_bills_hourly")
	if r := p.run(0, "schedules"); !strings.Contains(r.out, "fetch_bills_hourly") ||
		!strings.Contains(r.out, "America/Toronto") {
		t.Errorf("schedules: %s", r.out)
	}
	r := p.run(0, "doctor")
	for _, want := range []string{"Postgres ", "agrees with the database's", "are applied",
		"OpenParliament", "server: workers"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("doctor does not say %q:\n%s", want, r.out)
		}
	}
	stopWorker()
	stopServer()
}

// TestWindowsEmbedded runs everything in one Windows process, with a Postgres for Windows. EXPLORER_WINDOWS_POSTGRES is
// the folder of its programs.
func TestWindowsEmbedded(t *testing.T) {
	t.Parallel()
	programs := os.Getenv("EXPLORER_WINDOWS_POSTGRES")
	p := newWindowsProgram(t, "WINEPATH="+programs)
	if programs == "" {
		t.Skip("EXPLORER_WINDOWS_POSTGRES, a Postgres for Windows, is not here: .ci/platforms runs this test")
	}
	r := p.run(0, "demo", "--once")
	if !strings.Contains(r.err, "50 of 50 bills stored") || !strings.Contains(r.out, "bills_fetched") {
		t.Errorf("%s\n%s", r.out, r.err)
	}
}
