//go:build unix

package embedded_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db/embedded"
)

// TestHostileArchives is about archives whose checksum is right, and which a program must not obey all the same.
func TestHostileArchives(t *testing.T) {
	t.Parallel()
	good := serverPrograms("18.4")[:4]
	for name, entry := range map[string][]tar.Header{
		"Above":           {{Name: "../evil", Mode: 0o644}},
		"AboveInside":     {{Name: "bin/../../evil", Mode: 0o644}},
		"Absolute":        {{Name: "/tmp/explorer-evil", Mode: 0o644}},
		"LinkOut":         {{Name: "lib/out", Typeflag: tar.TypeSymlink, Linkname: "../../evil"}},
		"LinkAbsolute":    {{Name: "lib/out", Typeflag: tar.TypeSymlink, Linkname: "/etc"}},
		"ThroughALink":    {{Name: "up", Typeflag: tar.TypeSymlink, Linkname: "bin"}, {Name: "up/../../evil", Mode: 0o644}},
		"LinkOverAFile":   {{Name: "bin/postgres", Typeflag: tar.TypeSymlink, Linkname: "initdb"}},
		"FileTwice":       {{Name: "bin/postgres", Mode: 0o755}},
		"HardLink":        {{Name: "lib/hard", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}},
		"Device":          {{Name: "lib/null", Typeflag: tar.TypeChar, Mode: 0o666, Devmajor: 1, Devminor: 3}},
		"FileAsAFolder":   {{Name: "bin/postgres/x", Mode: 0o644}},
		"TheListOfItself": {{Name: ".contents.json", Mode: 0o644}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			jar, place := pack(t, append(good[:len(good):len(good)], entry...)...), place(t)
			server := repository(t, give(jar))
			fails(t, embedded.Source{Binaries: server.URL}.With(altered(jar, place)), place, "unpack it: ")
			for _, path := range []string{filepath.Join(place, "evil"), filepath.Join(filepath.Dir(place), "evil"),
				"/tmp/explorer-evil"} {
				if _, err := os.Lstat(path); err == nil {
					t.Errorf("%s was written", path)
				}
			}
		})
	}
	for name, jar := range map[string][]byte{
		"NoZip": []byte(strings.Repeat("no zip ", 1000)),
		"NoTxz": func() []byte {
			var b bytes.Buffer
			z := zip.NewWriter(&b)
			_, _ = z.Create("readme.txt")
			_ = z.Close()
			return b.Bytes()
		}(),
		"TruncatedTxz": func() []byte {
			r, err := zip.NewReader(bytes.NewReader(whole()), int64(len(whole())))
			if err != nil {
				t.Fatal(err)
			}
			f, err := r.File[0].Open()
			if err != nil {
				t.Fatal(err)
			}
			half, err := io.ReadAll(io.LimitReader(f, 700_000))
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			z := zip.NewWriter(&b)
			w, _ := z.Create("postgres.txz")
			_, _ = w.Write(half)
			_ = z.Close()
			return b.Bytes()
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			place := place(t)
			server := repository(t, give(jar))
			fails(t, embedded.Source{Binaries: server.URL}.With(altered(jar, place)), place, "unpack it: ")
		})
	}
}
