//go:build unix

package e2e_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
)

// TestPoolerInSessionMode is TestTopology with PgBouncer in between, as its package comes.
func TestPoolerInSessionMode(t *testing.T) {
	t.Parallel()
	var pooler *pgbouncer
	tp := newTopology(t, layout{between: func(url string) []string {
		pooler = newPgbouncer(t, url, "")
		return []string{"DATABASE_URL=" + pooler.url}
	}})
	tp.burst(400)
	tp.ready()
	if res := run(t, tp.env, "doctor"); !strings.Contains(res.out, "session mode") {
		t.Errorf("doctor: %s%s", res.out, res.err)
	}
}

// TestPoolerInTransactionMode is the same with each transaction on another connection of Postgres's.
func TestPoolerInTransactionMode(t *testing.T) {
	t.Parallel()
	var pooler *pgbouncer
	tp := newTopology(t, layout{between: func(url string) []string {
		pooler = newPgbouncer(t, url, "pool_mode = transaction\n")
		return []string{"DATABASE_URL=" + pooler.url, "DATABASE_DIRECT_URL=" + url}
	}})
	tp.burst(400)
	tp.ready()
	if res := run(t, tp.env, "doctor"); !strings.Contains(res.out, "transaction mode") {
		t.Errorf("doctor: %s%s", res.out, res.err)
	}
}

// TestPoolerRefused checks that every process that cannot work with a pooler refuses to start, and says what to do.
func TestPoolerRefused(t *testing.T) {
	t.Parallel()
	dbtest.Measures(t) // many processes
	for _, how := range []struct{ name, settings, params, direct, says string }{
		{name: "transaction", settings: "pool_mode = transaction\n", says: "DATABASE_DIRECT_URL"},
		{name: "transaction, one connection", settings: "pool_mode = transaction\ndefault_pool_size = 1\n", says: "DATABASE_DIRECT_URL"},
		{name: "transaction, in turn", settings: "pool_mode = transaction\nserver_round_robin = 1\nmin_pool_size = 3\n", says: "DATABASE_DIRECT_URL"},
		{name: "transaction, always reset", settings: "pool_mode = transaction\nserver_reset_query_always = 1\n", says: "DATABASE_DIRECT_URL"},
		{name: "direct is the pooler too", settings: "pool_mode = transaction\n", direct: "pooler", says: "too"},
		{name: "statement", settings: "pool_mode = statement\n", direct: "postgres", says: "statement mode"},
		{
			name: "transaction, an exec mode that prepares", settings: "pool_mode = transaction\n", direct: "postgres",
			params: "?default_query_exec_mode=cache_statement", says: "default_query_exec_mode=cache_statement",
		},
		{
			name: "transaction, a setting of a session", settings: "pool_mode = transaction\n", direct: "postgres",
			params: "?search_path=public", says: "search_path",
		},
	} {
		t.Run(how.name, func(t *testing.T) {
			t.Parallel()
			url := dbtest.URL(t)
			pooler := newPgbouncer(t, url, how.settings)
			env := []string{"DATABASE_URL=" + pooler.url + how.params, "ADDR=127.0.0.1:0", "AUTH=on",
				"CONTACT_EMAIL=you@example.org"}
			switch how.direct {
			case "pooler":
				env = append(env, "DATABASE_DIRECT_URL="+pooler.url)
			case "postgres":
				env = append(env, "DATABASE_DIRECT_URL="+url)
			}
			for _, command := range []string{"serve", "worker", "dev", "doctor", "migrate up"} {
				res := run(t, env, strings.Fields(command)...)
				if res.code == 0 || !strings.Contains(res.out+res.err, how.says) {
					t.Errorf("%s: %d: %s%s", command, res.code, res.out, res.err)
				}
			}
		})
	}
}

// pgbouncer is a PgBouncer of a test.
type pgbouncer struct{ url string }

// newPgbouncer starts PgBouncer before a Postgres with a Unix socket. It has the settings that it has by default, and
// those that are given. It is long, because most of it is PgBouncer's configuration and that of Postgres.
func newPgbouncer(t testing.TB, url, settings string) *pgbouncer {
	t.Helper()
	bin, err := exec.LookPath("pgbouncer")
	if err != nil {
		if bin = "/usr/sbin/pgbouncer"; !executable(bin) {
			t.Skip("pgbouncer is not here")
		}
	}
	dir, err := os.MkdirTemp("", "explorer-pgbouncer-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	to, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	addr := freeAddr(t)
	_, port, _ := net.SplitHostPort(addr)
	ini := fmt.Sprintf("[databases]\n%s = host=%s port=%d\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = "+
		"%s\nunix_socket_dir =\nauth_type = trust\nauth_file = %s\n%s",
		to.Database, to.Host, to.Port, port, filepath.Join(dir, "users"), settings)
	args := []string{filepath.Join(dir, "pgbouncer.ini")}
	// It refuses to be root, and only its owner may use the socket.
	if info, err := os.Stat(to.Host); err == nil && os.Geteuid() == 0 {
		owner, err := user.LookupId(strconv.Itoa(int(info.Sys().(*syscall.Stat_t).Uid)))
		if err != nil {
			t.Fatal(err)
		}
		args = append([]string{"-u", owner.Username}, args...)
	}
	for file, text := range map[string]string{"pgbouncer.ini": ini,
		"users": fmt.Sprintf("%q %q\n", to.User, to.Password)} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, args...)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		kill.Stop()
		raw, _ := os.ReadFile(log.Name())
		if log.Close(); t.Failed() {
			t.Logf("pgbouncer: %s", raw[max(0, len(raw)-2000):])
		}
	})
	eventually(t, 10*time.Second, "PgBouncer listens", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return &pgbouncer{url: fmt.Sprintf("postgres://%s@%s/%s", to.User, addr, to.Database)}
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&0o111 != 0
}
