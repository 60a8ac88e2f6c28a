//go:build unix

package embedded_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db/embedded"
)

func TestFetch(t *testing.T) {
	t.Parallel()

	t.Run("Once", func(t *testing.T) {
		t.Parallel()
		var asked atomic.Int32
		jar, place := whole(), place(t)
		server := repository(t, func(w http.ResponseWriter, r *http.Request) { asked.Add(1); give(jar)(w, r) })
		var stages []embedded.Stage
		s := embedded.Source{Binaries: server.URL + "/repo/", Progress: func(p embedded.Progress) {
			if len(stages) == 0 || stages[len(stages)-1] != p.Stage {
				stages = append(stages, p.Stage)
			}
			if p.Total != int64(len(jar)) || p.What != "Postgres 18.4" || p.From != server.URL+"/repo"+jarPath ||
				!strings.HasPrefix(p.To, place) {
				t.Errorf("progress: %+v", p)
			}
		}}.With(altered(jar, place))
		fetches(t, s, place)
		s.Offline = true // the copy is no fetch
		fetches(t, s, place)
		if asked.Load() != 1 {
			t.Errorf("asked %d times", asked.Load())
		}
		if want := []embedded.Stage{embedded.Fetching, embedded.Unpacking,
			embedded.Fetched}; fmt.Sprint(stages) != fmt.Sprint(want) {
			t.Errorf("stages %v, want %v", stages, want)
		}
	})

	t.Run("FromFiles", func(t *testing.T) {
		t.Parallel()
		jar, place := whole(), place(t)
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Dir(dir+jarPath), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+jarPath, jar, 0o600); err != nil {
			t.Fatal(err)
		}
		fetches(t, embedded.Source{Binaries: "file://" + dir}.With(altered(jar, place)), place)
		fails(t, embedded.Source{Binaries: "file://" + dir + "/no"}.With(altered(jar, place+"2")), place+"2",
			"has no archive for test-cpu")
	})

	t.Run("CutOff", func(t *testing.T) {
		t.Parallel()
		jar := whole()
		var ranges []string
		for name, answer := range map[string]http.HandlerFunc{
			"Resumed": give(jar),
			"ServerWithoutParts": func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write(jar)
			},
			"OtherPart": func(w http.ResponseWriter, r *http.Request) { // a part that was not asked for, then everything
				if r.Header.Get("Range") == "" {
					give(jar)(w, r)
					return
				}
				w.Header().Set("Content-Range", fmt.Sprintf("bytes 5-%d/%d", len(jar)-1, len(jar)))
				w.WriteHeader(http.StatusPartialContent)
				_, _ = w.Write(jar[5:])
			},
			"NotSatisfiable": func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Range") == "" {
					give(jar)(w, r)
					return
				}
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			},
			"PartsThatDoNotFit": func(w http.ResponseWriter, r *http.Request) { // the archive was replaced in between
				if r.Header.Get("Range") == "" {
					give(jar)(w, r)
					return
				}
				give(bytes.Repeat([]byte("x"), len(jar)))(w, r)
			},
		} {
			var asked atomic.Int32
			server := repository(t, func(w http.ResponseWriter, r *http.Request) {
				if asked.Add(1) == 1 {
					cutOff(w, jar, 400_000)
				}
				ranges = append(ranges, r.Header.Get("Range"))
				answer(w, r)
			})
			t.Run(name, func(t *testing.T) {
				place := place(t)
				fetches(t, embedded.Source{Binaries: server.URL}.With(altered(jar, place)), place)
			})
		}
		if !strings.HasPrefix(ranges[0], "bytes=") || ranges[0] == "bytes=0-" {
			t.Errorf("the rest was asked for with Range %q", ranges[0])
		}
	})

	t.Run("CutOffAgainAndAgain", func(t *testing.T) {
		t.Parallel()
		jar, place := whole(), place(t)
		var asked atomic.Int32
		server := repository(t, func(w http.ResponseWriter, r *http.Request) { // each answer is worth something
			asked.Add(1)
			from := 0
			_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
			if from > 0 {
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(jar)-1, len(jar)))
				w.WriteHeader(http.StatusPartialContent)
			}
			end := min(from+300_000, len(jar))
			_, _ = w.Write(jar[from:end])
			if end < len(jar) {
				panic(http.ErrAbortHandler)
			}
		})
		fetches(t, embedded.Source{Binaries: server.URL}.With(altered(jar, place)), place)
		if asked.Load() < 5 {
			t.Errorf("asked %d times", asked.Load())
		}
	})

	t.Run("CutOffForGood", func(t *testing.T) {
		t.Parallel()
		jar, place := whole(), place(t)
		server := repository(t, func(w http.ResponseWriter, _ *http.Request) { cutOff(w, jar, 1000) })
		fails(t, embedded.Source{Binaries: server.URL}.With(altered(jar, place)), place, "cut off after 1000 of")
		short := repository(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(jar[:1000]) }) // and says so
		fails(t, embedded.Source{Binaries: short.URL}.With(altered(jar, place)), place, "cut off after 1000 of")
	})

	t.Run("WrongChecksum", func(t *testing.T) {
		t.Parallel()
		jar := whole()
		other := bytes.Clone(jar)
		other[len(other)/2] ^= 1
		for name, body := range map[string][]byte{"OneBit": other, "Longer": append(bytes.Clone(jar), "more"...),
			"Endless": bytes.Repeat(jar, 3)} {
			var asked atomic.Int32
			server := repository(t, func(w http.ResponseWriter, r *http.Request) { asked.Add(1); give(body)(w, r) })
			t.Run(name, func(t *testing.T) {
				place := place(t)
				a := altered(jar, place)
				got := sha256.Sum256(body[:min(len(body), len(jar)+1)])
				fails(t, embedded.Source{Binaries: server.URL}.With(a), place, "wrong checksum", a.Sum, hex.EncodeToString(got[:]),
					"deleted")
				if asked.Load() != 1 {
					t.Errorf("asked %d times", asked.Load())
				}
			})
		}
	})

	t.Run("NoSpace", func(t *testing.T) {
		t.Parallel()
		jar, place := whole(), place(t)
		server := repository(t, give(jar))
		line := <-fetchProcess(t, nil, server.URL, jar, place, 600<<10)
		for _, says := range []string{"no space left in " + place, "Postgres 18.4 needs", "MB there", "DATABASE_URL"} {
			if !strings.Contains(line, says) {
				t.Errorf("%q does not say %q", line, says)
			}
		}
		if names := left(t, place); len(names) != 0 {
			t.Errorf("the cache holds %v", names)
		}
	})

	t.Run("ProcessesAtOnce", func(t *testing.T) {
		t.Parallel()
		jar, place := whole(), place(t)
		var asked atomic.Int32
		began, goOn := make(chan struct{}, 10), make(chan struct{})
		server := repository(t, func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			began <- struct{}{}
			<-goOn
			give(jar)(w, r)
		})
		first := fetchProcess(t, nil, server.URL, jar, place, 0)
		<-began
		second, third := fetchProcess(t, nil, server.URL, jar, place, 0), fetchProcess(t, nil, server.URL, jar, place, 0)
		for _, lines := range []<-chan string{second, third} {
			if line := <-lines; line != "WAITING" {
				t.Errorf("a second process says %q", line)
			}
		}
		close(goOn)
		for _, lines := range []<-chan string{first, second, third} {
			if line := <-lines; line != "FETCHED "+filepath.Join(place, embedded.Version+"-test-cpu", "bin") {
				t.Error(line)
			}
		}
		if asked.Load() != 1 {
			t.Errorf("%d downloads", asked.Load())
		}
		err := filepath.WalkDir(filepath.Join(place, embedded.Version+"-test-cpu"),
			func(path string, d fs.DirEntry, err error) error {
				if err != nil || d.Type()&fs.ModeSymlink != 0 {
					return err
				}
				info, err := d.Info()
				if err == nil && info.Mode().Perm()&0o044 != 0o044 { // with a umask of 077
					t.Errorf("%s has mode %s: another user cannot read it", path, info.Mode())
				}
				return err
			})
		if err != nil {
			t.Error(err)
		}
	})

	t.Run("ReadOnlyCache", func(t *testing.T) {
		t.Parallel()
		jar, good := whole(), place(t)
		server := repository(t, give(jar))
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		open := place(t) // to everybody
		if err := errors.Join(os.MkdirAll(open, 0o755), os.Chmod(filepath.Dir(open), 0o777)); err != nil {
			t.Fatal(err)
		}
		unusable := []string{filepath.Join(file, "postgres"), "/proc/explorer/postgres", open}
		s := embedded.Source{Binaries: server.URL}.With(altered(jar, append(unusable[:1:1], good)...))
		if to := s.Search("").Fetch.To; filepath.Dir(to) != good {
			t.Errorf("it is said to go to %s", to)
		}
		fetches(t, s, good)
		last := place(t)
		fetches(t, embedded.Source{Binaries: server.URL}.With(altered(jar, append(unusable, last)...)), last)
		fails(t, embedded.Source{Binaries: server.URL}.With(altered(jar, unusable...)), open, "cannot be kept anywhere", file,
			"/proc/explorer", open+" can be changed by others", "XDG_CACHE_HOME")
	})

	t.Run("CopyInAReadOnlyCache", func(t *testing.T) {
		t.Parallel()
		jar, full, empty := whole(), place(t), place(t)
		server := repository(t, give(jar))
		fetches(t, embedded.Source{Binaries: server.URL}.With(altered(jar, full)), full)
		fetches(t, embedded.Source{Binaries: server.URL, Offline: true}.With(altered(jar, empty, full)), full)
	})

	t.Run("SilentServer", func(t *testing.T) {
		t.Parallel()
		jar, place := whole(), place(t)
		var asked atomic.Int32
		server := repository(t, func(w http.ResponseWriter, r *http.Request) {
			if asked.Add(1) == 2 { // begins, and goes silent
				_, _ = w.Write(jar[:100])
				_ = http.NewResponseController(w).Flush()
			}
			<-r.Context().Done()
		})
		a := altered(jar, place)
		a.Silence = 200 * time.Millisecond
		fails(t, embedded.Source{Binaries: server.URL}.With(a), place, "the server sent nothing worth mentioning for 200ms")
		if asked.Load() != 3 {
			t.Errorf("asked %d times", asked.Load())
		}
	})

	t.Run("TricklingServer", func(t *testing.T) {
		t.Parallel()
		jar, place := whole(), place(t)
		var asked atomic.Int32
		server := repository(t, func(w http.ResponseWriter, r *http.Request) {
			if asked.Add(1) > 1 {
				give(jar)(w, r)
				return
			}
			for tick := time.NewTicker(10 * time.Millisecond); ; { // a byte each
				select {
				case <-r.Context().Done():
					return
				case <-tick.C:
					_, _ = w.Write(jar[:1])
					_ = http.NewResponseController(w).Flush()
				}
			}
		})
		a := altered(jar, place)
		a.Silence = 500 * time.Millisecond
		fails := 0
		fetches(t, embedded.Source{Binaries: server.URL, Progress: func(p embedded.Progress) {
			if p.Stage == embedded.Retrying {
				fails++
			}
		}}.With(a), place)
		if fails == 0 {
			t.Error("the fetch went on for as long as bytes trickled")
		}
	})

	t.Run("Statuses", func(t *testing.T) {
		t.Parallel()
		jar := whole()
		for code, c := range map[int]struct {
			asked int32
			says  string
		}{404: {1, "has no archive for test-cpu (404 Not Found)"}, 410: {1, "has no archive for test-cpu"}, 401: {1,
			"401 Unauthorized"}, 403: {1, "403 Forbidden"}, 500: {3, "500 Internal"}, 503: {3, "503 Service"},
			429: {3, "429 Too Many"}, 204: {1, "204"}} {
			place := place(t)
			var asked atomic.Int32
			server := repository(t, func(w http.ResponseWriter, _ *http.Request) { asked.Add(1); w.WriteHeader(code) })
			fails(t, embedded.Source{Binaries: strings.Replace(server.URL, "://", "://me:secret@", 1) +
				"?token=secret"}.With(altered(jar, place)), place, c.says, server.URL+jarPath)
			if asked.Load() != c.asked {
				t.Errorf("%d: asked %d times", code, asked.Load())
			}
		}
	})

	t.Run("ComesBack", func(t *testing.T) {
		t.Parallel()
		jar, place := whole(), place(t)
		var asked atomic.Int32
		target := httptest.NewServer(give(jar))
		t.Cleanup(target.Close)
		server := repository(t, func(w http.ResponseWriter, r *http.Request) {
			if asked.Add(1) < 3 {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			http.Redirect(w, r, target.URL+"/elsewhere", http.StatusFound)
		})
		fetches(t, embedded.Source{Binaries: server.URL}.With(altered(jar, place)), place)
	})

	t.Run("NoNetwork", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
		place := place(t)
		s := embedded.Source{Binaries: "http://me:secret@" + l.Addr().String()}.With(altered(whole(), place))
		fails(t, s, place, "refused")
		if _, err := s.Ensure(t.Context(), ""); strings.Contains(err.Error(), "secret") {
			t.Error(err)
		}
	})

	t.Run("Proxy", func(t *testing.T) {
		t.Parallel()
		jar, place := whole(), place(t)
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.String() != "http://maven.example.test"+jarPath {
				http.Error(w, "not through a proxy: "+r.URL.String(), http.StatusTeapot)
				return
			}
			give(jar)(w, r)
		}))
		t.Cleanup(proxy.Close)
		if line := <-fetchProcess(t, []string{"HTTP_PROXY=" + proxy.URL, "http_proxy=" + proxy.URL, "NO_PROXY=", "no_proxy="},
			"http://maven.example.test", jar, place, 0); !strings.HasPrefix(line, "FETCHED") {
			t.Error(line)
		}
	})

	t.Run("Interrupted", func(t *testing.T) {
		t.Parallel()
		jar, place := whole(), place(t)
		ctx, cancel := context.WithCancel(t.Context())
		server := repository(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write(jar[:400_000])
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		s := embedded.Source{Binaries: server.URL, Progress: func(p embedded.Progress) {
			if p.Done > 100_000 {
				cancel()
			}
		}}.With(altered(jar, place))
		if _, err := s.Ensure(ctx, ""); !errors.Is(err, context.Canceled) {
			t.Errorf("err = %v", err)
		}
		if names := left(t, place); len(names) != 0 {
			t.Errorf("the cache holds %v", names)
		}
		// While it unpacks.
		server = repository(t, give(jar))
		ctx, cancel = context.WithCancel(t.Context())
		s.Binaries, s.Progress = server.URL, func(p embedded.Progress) {
			if p.Stage == embedded.Unpacking {
				cancel()
			}
		}
		if _, err := s.Ensure(ctx, ""); !errors.Is(err, context.Canceled) {
			t.Errorf("err = %v", err)
		}
		if names := left(t, place); len(names) != 0 {
			t.Errorf("the cache holds %v", names)
		}
		// What a killed process left is removed by the next fetch.
		if err := os.MkdirAll(filepath.Join(place, ".fetch-killed", "unpacked"), 0o755); err != nil {
			t.Fatal(err)
		}
		s.Progress = nil
		fetches(t, s, place)
	})

	t.Run("DamagedLater", func(t *testing.T) {
		t.Parallel()
		jar, place := whole(), place(t)
		var asked atomic.Int32
		server := repository(t, func(w http.ResponseWriter, r *http.Request) { asked.Add(1); give(jar)(w, r) })
		s := embedded.Source{Binaries: server.URL}.With(altered(jar, place))
		i := fetches(t, s, place)
		root := filepath.Dir(i.Bin)
		in := func(name string) string { return filepath.Join(root, name) }
		for name, damage := range map[string]func() error{
			"a program is missing":        func() error { return os.Remove(in("bin/initdb")) },
			"a file is missing":           func() error { return os.Remove(in("share/extension/unaccent.control")) },
			"a file is shorter":           func() error { return os.Truncate(in("lib/libpq.so.5"), 100) },
			"a file is empty of zeros":    func() error { return os.WriteFile(in("lib/libpq.so.5"), make([]byte, 1_500_000), 0o600) },
			"a program cannot be run":     func() error { return os.Chmod(in("bin/postgres"), 0o600) },
			"a link is missing":           func() error { return os.Remove(in("lib/libpq.so")) },
			"a folder is missing":         func() error { return os.RemoveAll(in("lib")) },
			"the list is missing":         func() error { return os.Remove(in(".contents.json")) },
			"the list is empty":           func() error { return os.WriteFile(in(".contents.json"), []byte(`{}`), 0o600) },
			"there is a file in its way":  func() error { return errors.Join(os.RemoveAll(root), os.WriteFile(root, nil, 0o600)) },
			"there is a folder of others": func() error { return errors.Join(os.RemoveAll(root), os.MkdirAll(in("bin"), 0o755)) },
		} {
			before := asked.Load()
			if err := damage(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			offline := s
			offline.Offline = true
			if _, err := offline.Ensure(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "--offline") {
				t.Errorf("%s, offline: %v", name, err)
			}
			fetches(t, s, place)
			if asked.Load() != before+1 {
				t.Errorf("%s: asked %d times", name, asked.Load()-before)
			}
		}
	})

	t.Run("CannotRunHere", func(t *testing.T) {
		t.Parallel()
		jar := pack(t, script("bin/postgres", `echo "error while loading shared libraries: libstdc++.so.6" >&2; exit 127`),
			script("bin/initdb", ""))
		place := place(t)
		var asked atomic.Int32
		server := repository(t, func(w http.ResponseWriter, r *http.Request) { asked.Add(1); give(jar)(w, r) })
		s := embedded.Source{Binaries: server.URL}.With(altered(jar, place))
		for range 2 { // it is not fetched again: it would not run either
			if _, err := s.Ensure(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "cannot run here") ||
				!strings.Contains(err.Error(), "libstdc++.so.6") {
				t.Errorf("err = %v", err)
			}
		}
		if asked.Load() != 1 {
			t.Errorf("asked %d times", asked.Load())
		}
	})
}
