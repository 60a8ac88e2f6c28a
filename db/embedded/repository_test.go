//go:build unix

package embedded_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ulikunitz/xz"

	"github.com/parliament-explorer/parliament-explorer/db/embedded"
)

// serverPrograms are programs that answer what is asked of them before a start.
func serverPrograms(version string) []tar.Header {
	return []tar.Header{
		script("bin/postgres",
			`case "$*" in *--version*) echo "postgres (PostgreSQL) `+version+`";; *) echo America/Toronto;; esac`),
		script("bin/initdb", `echo "share_path=$(cd "$(dirname "$0")/.." && pwd)/share"`),
		{Name: "share/extension/pg_trgm.control", Mode: 0o600}, {Name: "share/extension/unaccent.control", Mode: 0o600},
		{Name: "lib/libpq.so", Typeflag: tar.TypeSymlink, Linkname: "libpq.so.5"},
		{Name: "lib/libpq.so.5", Mode: 0o644, PAXRecords: map[string]string{"TEST.size": "1500000"}},
	}
}

// script is a program in an archive.
func script(name, text string) tar.Header {
	return tar.Header{Name: name, Mode: 0o755, PAXRecords: map[string]string{"TEST.text": "#!/bin/sh\n" + text + "\n"}}
}

// pack makes an archive as zonky.io does: a .jar with a .txz in it.
func pack(t testing.TB, entries ...tar.Header) []byte {
	t.Helper()
	var packed bytes.Buffer
	x, err := xz.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(x)
	for _, h := range entries {
		body := []byte(h.PAXRecords["TEST.text"])
		if n, _ := strconv.Atoi(h.PAXRecords["TEST.size"]); n > 0 { // it does not compress
			random := rand.NewChaCha8([32]byte{1})
			body = make([]byte, n)
			random.Read(body)
		}
		h.PAXRecords = nil
		h.Size = int64(len(body))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), x.Close()); err != nil {
		t.Fatal(err)
	}
	var jar bytes.Buffer
	z := zip.NewWriter(&jar)
	f, err := z.Create("postgres-test.txz")
	if err == nil {
		_, err = f.Write(packed.Bytes())
	}
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return jar.Bytes()
}

// whole is an archive that works; making it takes a moment.
var whole = sync.OnceValue(func() []byte {
	var t testing.T
	return pack(&t, serverPrograms("18.4")...)
})

const jarPath = "/io/zonky/test/postgres/embedded-postgres-binaries-test-cpu/" + embedded.Version +
	"/embedded-postgres-binaries-test-cpu-" + embedded.Version + ".jar"

// repository serves a Maven repository with one archive, whose answers a test may change.
func repository(t *testing.T, answer http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.TrimPrefix(r.URL.Path, "/repo") != jarPath {
			http.NotFound(w, r)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return server
}

func give(jar []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "archive.jar", time.Time{}, bytes.NewReader(jar))
	}
}

// cutOff gives the next n bytes of an archive, and breaks off.
func cutOff(w http.ResponseWriter, jar []byte, n int) {
	w.Header().Set("Content-Length", strconv.Itoa(len(jar)))
	_, _ = w.Write(jar[:n])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// place is a folder of a cache, with nothing in it.
func place(t *testing.T) string {
	t.Helper()
	return filepath.Join(filepath.Dir(dataDir(t)), "cache", "postgres")
}

func altered(jar []byte, places ...string) embedded.Altered {
	sum := sha256.Sum256(jar)
	return embedded.Altered{
		Platform: "test-cpu", Size: int64(len(jar)), Sum: hex.EncodeToString(sum[:]), Places: places,
		Machine: []string{}, Silence: time.Minute,
		Pause: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}
}

// left returns what is in a cache, without its lock.
func left(t *testing.T, place string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(place)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != ".lock" {
			names = append(names, e.Name())
		}
	}
	return names
}

// fetches checks that a fetch succeeds and leaves a whole copy and nothing else.
func fetches(t *testing.T, s embedded.Source, place string) *embedded.Installation {
	t.Helper()
	i, err := s.Ensure(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if !i.Fetched || i.Version != "18.4" || i.Bin != filepath.Join(place, embedded.Version+"-test-cpu", "bin") {
		t.Errorf("fetched %+v", i)
	}
	if names := left(t, place); len(names) != 1 {
		t.Errorf("the cache holds %v", names)
	}
	return i
}

// fails checks that a fetch fails in one line that says all of these, and leaves nothing.
func fails(t *testing.T, s embedded.Source, place string, says ...string) {
	t.Helper()
	i, err := s.Ensure(t.Context(), "")
	if err == nil {
		t.Fatalf("fetched %+v", i)
	}
	for _, text := range append(says, "POSTGRES_BINARIES", "DATABASE_URL") {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error does not say %q: %v", text, err)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("the error has several lines: %q", err)
	}
	if names := left(t, place); len(names) != 0 {
		t.Errorf("the cache holds %v", names)
	}
}
