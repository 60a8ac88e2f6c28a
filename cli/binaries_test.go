package cli_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/cli"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/db/embedded"
)

// withoutBinaries is an environment in which there is nothing to run, and a repository that answers every request with
// a code.
func withoutBinaries(t *testing.T, code int) (env []string, address string, asked *atomic.Int32) {
	t.Helper()
	asked = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(code)
	}))
	t.Cleanup(server.Close)
	// t.TempDir is closed to the server's user when the tests run as root
	cache, err := os.MkdirTemp("", "explorer-cache-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(cache) })
	if err := os.Chmod(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	return []string{
		"POSTGRES_BINARIES=" + server.URL, "DATA_DIR=" + t.TempDir(), "XDG_CACHE_HOME=" + cache, "TMPDIR=" + t.TempDir(),
		"OPENPARLIAMENT_URL=" + server.URL, "LEGISINFO_URL=" + server.URL, "EXPLORER_URL=http://127.0.0.1:1",
	}, server.URL, asked
}

// lastLine is the one line that says why a program ended.
func lastLine(r result) string {
	lines := strings.Split(strings.TrimSpace(r.err), "\n")
	return lines[len(lines)-1]
}

// TestPostgresIsLookedForFirst has every start without server binaries fail before it does other work.
func TestPostgresIsLookedForFirst(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	env, address, asked := withoutBinaries(t, http.StatusNotFound)
	for _, args := range [][]string{
		{"demo", "--once", "--addr", taken.Addr().String()}, {"dev", "--addr", taken.Addr().String(), "--offline"},
		{"serve", "--addr", taken.Addr().String(), "--offline"}, {"worker", "--offline"}, {"migrate", "status", "--offline"},
	} {
		before := asked.Load()
		r := run(t, env, args...)
		says := []string{"explorer: ", "install Postgres", "POSTGRES_BINARIES", "DATABASE_URL"}
		if args[0] == "demo" {
			says = append(says, "fetch Postgres 18.4 from "+address+"/io/zonky/", "404 Not Found")
		} else {
			says = append(says, "no Postgres server binaries", "--offline")
			if asked.Load() != before {
				t.Errorf("%v: asked for something", args)
			}
		}
		for _, text := range says {
			if !strings.Contains(lastLine(r), text) {
				t.Errorf("%v does not say %q: %s", args, text, r.err)
			}
		}
		if r.code != 1 {
			t.Errorf("%v: exit code %d", args, r.code)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("the demonstration asked %d times", asked.Load())
	}
}

func TestNothingIsFetchedForADatabase(t *testing.T) {
	t.Parallel()
	env, _, asked := withoutBinaries(t, http.StatusNotFound)
	if r := run(t, append(env, "DATABASE_URL="+dbtest.URL(t)), "migrate", "status"); r.code != 0 {
		t.Errorf("exit code %d: %s", r.code, r.err)
	}
	if asked.Load() != 0 {
		t.Errorf("asked %d times", asked.Load())
	}
}

func TestMalformedBinaries(t *testing.T) {
	t.Parallel()
	for value, says := range map[string]string{
		"ftp://me:secret@example.org/": "want a folder, or an address", "https://": "want a folder, or an address", "/no/such/folder": "no such file or directory", "/etc/passwd": "is no folder",
	} {
		for _, args := range [][]string{{"demo", "--once"}, {"dev", "--addr", "127.0.0.1:0"}, {"migrate", "status"}} {
			r := run(t, []string{"POSTGRES_BINARIES=" + value, "DATA_DIR=" + t.TempDir()}, args...)
			if r.code != 2 || !strings.Contains(lastLine(r), says) || strings.Contains(r.err, "secret") {
				t.Errorf("%s, %v: exit code %d: %s", value, args, r.code, r.err)
			}
		}
	}
	if r := run(t, []string{"EXPLORER_OFFLINE=perhaps"}, "demo", "--once"); r.code != 2 {
		t.Errorf("EXPLORER_OFFLINE=perhaps: exit code %d: %s", r.code, r.err)
	}
}

// TestDoctorOnBinaries is about the first thing that doctor says.
func TestDoctorOnBinaries(t *testing.T) {
	t.Parallel()
	first := func(r result) string {
		lines := strings.SplitAfter(r.out, "\n")
		return strings.Join(lines[:min(2, len(lines))], "")
	}
	env, address, _ := withoutBinaries(t, http.StatusOK)
	if r := run(t, env, "doctor"); !strings.HasPrefix(r.out, "warn  server binaries") ||
		!strings.Contains(first(r), "Postgres 18.4 is downloaded once: 14.5 MB from "+address+
			"/io/zonky/test/postgres/embedded-postgres-binaries-") || !strings.Contains(first(r), " to /") {
		t.Errorf("a repository that answers:\n%s", first(r))
	}
	if r := run(t, env, "doctor", "--offline"); r.code != 1 || !strings.HasPrefix(r.out, "FAIL  server binaries") ||
		!strings.Contains(first(r), "--offline") {
		t.Errorf("offline:\n%s", first(r))
	}
	env, address, _ = withoutBinaries(t, http.StatusNotFound)
	if r := run(t, env, "doctor"); r.code != 1 || !strings.HasPrefix(r.out, "FAIL  server binaries") ||
		!strings.Contains(first(r), address) ||
		!strings.Contains(first(r), "404") || !strings.Contains(first(r), "install Postgres") {
		t.Errorf("a repository without the archive:\n%s", first(r))
	}
	server, err := embedded.Environment().Ensure(t.Context(), "") // nothing may have fetched one yet
	if err != nil {
		t.Fatal(err)
	}
	found := server.Bin
	env = append(env, "POSTGRES_BINARIES="+found)
	if r := run(t, env, "doctor"); !strings.HasPrefix(r.out, "ok    server binaries") ||
		!strings.Contains(first(r), " in "+found) {
		t.Errorf("a folder:\n%s", first(r))
	}
	if r := run(t, append(env, "DATABASE_URL="+dbtest.URL(t), "POSTGRES_BINARIES="+address),
		"doctor"); strings.Contains(r.out, "server binaries") {
		t.Errorf("with a database of one's own:\n%s", r.out)
	}
}

// TestFetchIsShown looks at what a fetch says where there is no terminal.
func TestFetchIsShown(t *testing.T) {
	t.Parallel()
	stages := []embedded.Progress{
		{Stage: embedded.Waiting}, {Stage: embedded.Fetching}, {Stage: embedded.Fetching, Done: 5 << 20}, {Stage: embedded.Retrying, Err: errors.New("cut off\x1b[2J")},
		{Stage: embedded.Fetching, Done: 20 << 20}, {Stage: embedded.Unpacking}, {Stage: embedded.Fetched},
	}
	for _, format := range []string{"text", "json"} {
		var out bytes.Buffer
		show := cli.ShowFetch(&out, format)
		for _, p := range stages {
			p.What, p.From, p.To, p.Total = "Postgres 18.4", "https://example.org/x.jar", "/cache", 20<<20
			show(p)
		}
		for _, says := range []string{"waiting for it", "Downloading Postgres 18.4 once, 20.0 MB, from " +
			"https://example.org/x.jar to /cache", "cut off", "Unpacking", "Postgres 18.4 is in /cache"} {
			if !strings.Contains(out.String(), says) {
				t.Errorf("%s: does not say %q:\n%s", format, says, out.String())
			}
		}
		if n := strings.Count(out.String(), "\n"); n != 5 {
			t.Errorf("%s: %d lines:\n%s", format, n, out.String())
		}
		plain(t, format, out.String())
		for line := range strings.Lines(out.String()) {
			if format == "json" && !json.Valid([]byte(line)) {
				t.Errorf("no JSON: %s", line)
			}
		}
	}
}
