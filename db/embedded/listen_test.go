package embedded

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// tcpFolder is a folder that the server's own user can enter, when the tests run as root.
func tcpFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "explorer tcp é-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "postgres")
}

// messages is a log handler that keeps what is logged.
type messages chan string

func (m messages) Enabled(context.Context, slog.Level) bool { return true }

func (m messages) Handle(_ context.Context, r slog.Record) error {
	m <- r.Message
	return nil
}

func (m messages) WithAttrs([]slog.Attr) slog.Handler { return m }

func (m messages) WithGroup(string) slog.Handler { return m }

// wait waits for a message with a text in it.
func (m messages) wait(text string) {
	for message := range m {
		if strings.Contains(message, text) {
			return
		}
	}
}

func ask(t *testing.T, url, sql string) (string, error) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		return "", err
	}
	defer conn.Close(context.Background())
	var answer string
	return answer, conn.QueryRow(t.Context(), sql).Scan(&answer)
}

// TestTCP is how the server runs on Windows, here on any system.
func TestTCP(t *testing.T) {
	t.Parallel()

	t.Run("AsksForItsPassword", func(t *testing.T) {
		t.Parallel()
		dir := tcpFolder(t)
		cfg := Config{Dir: dir, Logger: slog.New(slog.DiscardHandler), TCP: true}
		e, err := Start(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ask(t, e.URL(), "SELECT current_setting('listen_addresses') || ' ' || "+
			"current_setting('password_encryption')"); err != nil || got != "127.0.0.1 scram-sha-256" {
			t.Errorf("listens on and encrypts by %q, %v", got, err)
		}
		for what, url := range map[string]string{
			"a wrong password":            strings.Replace(e.URL(), "password="+e.password, "password=guess", 1),
			"no password":                 strings.Replace(e.URL(), "password="+e.password, "", 1),
			"the database of maintenance": strings.Replace(e.url("postgres"), "password="+e.password, "", 1),
		} {
			if _, err := ask(t, url, "SELECT 'in'"); err == nil {
				t.Errorf("%s was let in", what)
			}
		}
		attached, ok := Attach(dir)
		if !ok || attached != e.URL() {
			t.Errorf("Attach = %v, %v", attached == e.URL(), ok)
		}
		if _, err := ask(t, attached, "SELECT 'attached'"); err != nil {
			t.Error(err)
		}
		if err := e.Stop(); err != nil {
			t.Fatal(err)
		}
		if _, ok := Attach(dir); ok {
			t.Error("a stopped server was found")
		}
		first := e.password
		if e, err = Start(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		defer e.Stop()
		if _, err := ask(t, e.URL(), "SELECT 'again'"); err != nil || e.password != first {
			t.Errorf("after a restart: %v, the same password: %v", err, e.password == first)
		}
	})

	t.Run("PasswordIsTheOwnersAlone", func(t *testing.T) {
		t.Parallel()
		dir := tcpFolder(t)
		e, err := Start(t.Context(), Config{Dir: dir, Logger: slog.New(slog.DiscardHandler), TCP: true})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Stop()
		checkOwnersAlone(t, dir)
		checkOwnersAlone(t, filepath.Join(dir, passwordFile))
		left, err := filepath.Glob(filepath.Join(filepath.Dir(dir), ".initdb-*"))
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})

	t.Run("TakesAnotherPortWhenOneIsTaken", func(t *testing.T) {
		t.Parallel()
		stranger, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // it accepts, and never answers
		if err != nil {
			t.Fatal(err)
		}
		defer stranger.Close()
		taken := stranger.Addr().(*net.TCPAddr).Port
		asked := 0
		e, err := Start(t.Context(), Config{Dir: tcpFolder(t), Logger: slog.New(slog.DiscardHandler), TCP: true,
			freePort: func(ctx context.Context) (int, error) {
				if asked++; asked <= 2 {
					return taken, nil
				}
				return freePort(ctx)
			}})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Stop()
		if _, err := ask(t, e.URL(), "SELECT 'here'"); err != nil || asked != 3 || e.port == taken {
			t.Errorf("port %d, not %d, after %d tries: %v", e.port, taken, asked, err)
		}
	})

	t.Run("StrangersPasswordIsNotAsked", func(t *testing.T) {
		t.Parallel()
		if !socketsWork {
			return // all servers of ours have a password there
		}
		open, err := Start(t.Context(), Config{Dir: tcpFolder(t), Logger: slog.New(slog.DiscardHandler),
			Settings: map[string]string{"listen_addresses": "127.0.0.1"}})
		if err != nil {
			t.Fatal(err)
		}
		defer open.Stop()
		stranger := Server{cfg: Config{TCP: true}, port: open.port, password: "secret"}
		// As the first connection, and as one of a pool later on.
		for _, url := range []string{stranger.url("postgres"), stranger.URL()} {
			if _, err := ask(t, url, "SELECT 'in'"); err == nil || !strings.Contains(err.Error(), "require_auth") {
				t.Errorf("a server that asks for no password was taken for ours: %v", err)
			}
		}
	})

	t.Run("WaitsForItsPort", func(t *testing.T) {
		t.Parallel()
		if !socketsWork {
			return // a file that is in use cannot be renamed there
		}
		dir := tcpFolder(t)
		log := make(messages, 100)
		e, err := Start(t.Context(), Config{Dir: dir, Logger: slog.New(log), TCP: true})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Stop()
		// without it, the server does not come back before we have its port
		control := filepath.Join(dir, "global", "pg_control")
		if err := os.Rename(control, control+".away"); err != nil {
			t.Fatal(err)
		}
		if err := e.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		log.wait("could not be started again")
		stranger, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(e.port)))
		if err != nil {
			t.Fatal(err)
		}
		defer stranger.Close()
		if err := os.Rename(control+".away", control); err != nil {
			t.Fatal(err)
		}
		log.wait("another program has taken the port")
		stranger.Close()
		log.wait("runs again")
		if _, err := ask(t, e.URL(), "SELECT 'back'"); err != nil {
			t.Error(err)
		}
	})

	t.Run("DirectoryWithoutPasswordIsRefused", func(t *testing.T) {
		t.Parallel()
		if !socketsWork {
			return // there is no such directory
		}
		dir := tcpFolder(t)
		e, err := Start(t.Context(), Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Stop(); err != nil {
			t.Fatal(err)
		}
		if _, err = Start(t.Context(), Config{Dir: dir, Logger: slog.New(slog.DiscardHandler), TCP: true}); err == nil ||
			!strings.Contains(err.Error(), "was not made for a server that listens on TCP") {
			t.Errorf("err = %v", err)
		}
	})
}
