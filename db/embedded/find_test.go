//go:build unix

package embedded_test

import (
	"archive/tar"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db/embedded"
)

// installation makes a folder of programs, with changes to those that work, and returns its bin folder.
func installation(t *testing.T, version string, changes ...tar.Header) string {
	t.Helper()
	root := filepath.Dir(dataDir(t))
	for _, h := range append(serverPrograms(version)[:4], changes...) {
		path := filepath.Join(root, h.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		_ = os.Remove(path)
		if h.Typeflag == tar.TypeFifo { // is to be missing
			continue
		}
		if err := os.WriteFile(path, []byte(h.PAXRecords["TEST.text"]), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, os.FileMode(h.Mode)|0o444); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(root, "bin")
}

func missing(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeFifo} }

// TestBrokenInstallations searches with each kind of broken installation before one that works.
func TestBrokenInstallations(t *testing.T) {
	t.Parallel()
	good := installation(t, "16.2")
	for _, c := range []struct {
		name, bin, says string
	}{
		{"WithoutInitdb", installation(t, "17.1", missing("bin/initdb")), "has no initdb"},
		{"MissingLibrary", installation(t, "17.1", script("bin/postgres", `echo "postgres: error while loading shared libraries: libicui18n.so.72: cannot open shared object file" >&2; exit 127`)), "libicui18n.so.72"},
		{"InitdbMissingLibrary", installation(t, "17.1", script("bin/initdb", `echo "initdb: libpq.so.5: cannot open shared object file" >&2; exit 127`)), "libpq.so.5"},
		{"NotExecutable", installation(t, "17.1", tar.Header{Name: "bin/postgres", Mode: 0o644}), "cannot be run"},
		{"OtherMachine", installation(t, "17.1", tar.Header{Name: "bin/postgres", Mode: 0o755, PAXRecords: map[string]string{"TEST.text": "\x7fELFnothing"}}), "cannot be run"},
		{"NoTrigrams", installation(t, "17.1", missing("share/extension/pg_trgm.control")), "has no extension pg_trgm"},
		{"NoUnaccent", installation(t, "17.1", missing("share/extension/unaccent.control")), "has no extension unaccent"},
		{"NoTimeZones",
			installation(t, "17.1", script("bin/postgres", `case "$*" in *--version*) echo "postgres (PostgreSQL) 17.1";; *)
echo '2026-01-01 GMT FATAL:  invalid value for parameter "TimeZone": "America/Toronto"' >&2
echo "HINT: none" >&2; exit 1;; esac`)),
			`cannot run postgres: invalid value for parameter "TimeZone"`},
		{"TooOld", installation(t, "13.9"), "is Postgres 13, and 14 or newer is needed"},
		{"NoVersion", installation(t, "next"), "unknown version"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			found := embedded.Source{}.With(embedded.Altered{Places: []string{}, Machine: []string{c.bin, good}}).Search("")
			if found.Found == nil || found.Found.Bin != good || found.Found.Version != "16.2" {
				t.Fatalf("found %+v", found)
			}
			if c.name == "TooOld" || c.name == "NoVersion" { // comes after a newer one that works
				found = embedded.Source{}.With(embedded.Altered{Places: []string{}, Machine: []string{c.bin}}).Search("")
			}
			if len(found.Unusable) != 1 || found.Unusable[0].Bin != c.bin ||
				!strings.Contains(found.Unusable[0].Problem.Error(), c.says) {
				t.Errorf("unusable: %+v, want %q", found.Unusable, c.says)
			}
			// Alone: one line says why, and what to do.
			alone := embedded.Source{Offline: true}.With(embedded.Altered{Places: []string{},
				Machine: []string{c.bin}}).Search("")
			if alone.Err == nil || !strings.Contains(alone.Err.Error(), c.says) ||
				!strings.Contains(alone.Err.Error(), embedded.Remedy) {
				t.Errorf("alone: %v", alone.Err)
			}
		})
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	old, recent, beta := installation(t, "15.3 (Debian 15.3-0)"), installation(t, "18.1"), installation(t, "19beta1")
	dataOf := func(version string) string {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "PG_VERSION"), []byte(version+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	machine := func(s embedded.Source, bins ...string) embedded.Source {
		a := altered(whole(), place(t))
		a.Machine = append([]string{}, bins...)
		return s.With(a)
	}
	empty := t.TempDir()
	for _, c := range []struct {
		name   string
		source embedded.Source
		dir    string
		found  string
		fetch  bool
		says   []string // of the error
	}{
		{"Newest", machine(embedded.Source{}, old, recent), "", recent, false, nil},
		{"Beta", machine(embedded.Source{}, old, beta, recent), "", beta, false, nil},
		{"OfTheData", machine(embedded.Source{}, old, recent), dataOf("15"), old, false, nil},
		{"DataOfNoneHere", machine(embedded.Source{}, old, recent), dataOf("16"), "", false, []string{"made by Postgres 16", "only those of Postgres 18 can be fetched", "install Postgres 16"}},
		{"DataOfTheFetched", machine(embedded.Source{}, old), dataOf("18"), "", true, nil},
		{"DataOfTheFetchedOffline", machine(embedded.Source{Offline: true}, old), dataOf("18"), "", false, []string{"made by Postgres 18", "--offline", "install Postgres 18"}},
		{"NoData", machine(embedded.Source{}, old), dataOf("x"), "", false, []string{"is no version"}},
		{"Nothing", machine(embedded.Source{}), "", "", true, nil},
		{"NothingOffline", machine(embedded.Source{Offline: true}), "", "", false, []string{"no Postgres server binaries", "--offline", "EXPLORER_OFFLINE", "apt-get install postgresql", "POSTGRES_BINARIES", "DATABASE_URL"}},
		{"UnknownPlatform", embedded.Source{}.With(embedded.Altered{Platform: "plan9-mips", Places: []string{}, Machine: []string{}}), "", "", false, []string{"none are published for plan9-mips", "install Postgres"}},
		{"GivenFolder", machine(embedded.Source{Binaries: filepath.Dir(old)}, recent), "", old, false, nil},
		{"GivenBinFolder", machine(embedded.Source{Binaries: old}, recent), "", old, false, nil},
		{"GivenFolderOfOtherData", machine(embedded.Source{Binaries: old}, recent), dataOf("18"), "", false, []string{"is Postgres 15, and the data is of 18"}},
		{"GivenEmptyFolder", machine(embedded.Source{Binaries: empty}, recent), "", "", false, []string{empty, "there is no bin/postgres in it"}},
		{"GivenNoFolder", machine(embedded.Source{Binaries: empty + "/none"}, recent), "", "", false, []string{"POSTGRES_BINARIES", "no such file"}},
		{"GivenFile", machine(embedded.Source{Binaries: filepath.Join(old, "postgres")}, recent), "", "", false, []string{"is no folder"}},
		{"GivenAddress", machine(embedded.Source{Binaries: "https://me:secret@maven.example.org/x"}, recent), "", "", true, nil},
		{"GivenOtherScheme", machine(embedded.Source{Binaries: "ftp://me:secret@maven.example.org/x"}, recent), "", "", false, []string{"want a folder, or an address"}},
		{"GivenNoAddress", machine(embedded.Source{Binaries: "http://me:secret@%zz/"}, recent), "", "", false, []string{"cannot be read"}},
		{"GivenFileOfAnotherMachine", machine(embedded.Source{Binaries: "file://elsewhere/x"}, recent), "", "", false, []string{"want a folder, or an address"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := c.source.Search(c.dir)
			if c.found == "" != (got.Found == nil) || got.Found != nil && got.Found.Bin != c.found {
				t.Errorf("found %+v, want %q", got.Found, c.found)
			}
			if c.fetch != (got.Fetch != nil) {
				t.Errorf("fetch %+v, want %t", got.Fetch, c.fetch)
			}
			if got.Fetch != nil && strings.Contains(got.Fetch.From, "secret") {
				t.Errorf("a password is told: %s", got.Fetch.From)
			}
			if c.says == nil != (got.Err == nil) {
				t.Fatalf("err = %v", got.Err)
			}
			for _, text := range c.says {
				if !strings.Contains(got.Err.Error(), text) {
					t.Errorf("the error does not say %q: %v", text, got.Err)
				}
			}
			if got.Err != nil && (strings.Contains(got.Err.Error(), "secret") || strings.Contains(got.Err.Error(), "\n")) {
				t.Errorf("err = %q", got.Err)
			}
		})
	}
}
