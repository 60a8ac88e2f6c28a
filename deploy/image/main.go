// Command image builds an OCI image of the program, without a daemon, a registry or a network. The same program gives
// the same image, byte for byte, so anybody who builds the same source can compare digests.
//
//	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o explorer .
//	cd deploy/image && go run . -binary ../../explorer -version 1.2.3 -out ../../image
//
// The image is equivalent to that of the Dockerfile, built from scratch instead of distroless. It contains the program,
// certificates, time zones, a user and /tmp. It is written as an OCI layout, which skopeo, crane and podman copy to a
// registry.
package main

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

func main() {
	binary := flag.String("binary", "explorer", "the program: a static binary for Linux")
	out := flag.String("out", "image", "folder for the OCI layout: a new one, or an existing layout")
	version := flag.String("version", "dev", "version, as a label")
	revision := flag.String("revision", "", "revision of the source, as a label")
	flag.Parse()
	if err := run(*binary, *out, *version, *revision); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(binary, out, version, revision string) error {
	program, err := os.ReadFile(binary) //nolint:gosec // the file named by the flag
	if err != nil {
		return err
	}
	img, err := build(program, version, revision)
	if err != nil {
		return fmt.Errorf("%s: %w", binary, err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		return err
	}
	path, err := layout.Write(out, empty.Index)
	if err != nil {
		return err
	}
	platform := v1.Platform{OS: config.OS, Architecture: config.Architecture}
	if err := path.AppendImage(img, layout.WithPlatform(platform)); err != nil {
		return err
	}
	digest, err := img.Digest()
	if err != nil {
		return err
	}
	fmt.Println(digest)
	return nil
}

// architectures maps ELF's machines to Go's names.
var architectures = map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64"}

// build returns the image of a program.
func build(program []byte, version, revision string) (v1.Image, error) {
	file, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return nil, fmt.Errorf("want a program for Linux: %w", err)
	}
	architecture, ok := architectures[file.Machine]
	if !ok {
		return nil, fmt.Errorf("is for %s: want amd64 or arm64", file.Machine)
	}
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			return nil, fmt.Errorf("is not static: build it with CGO_ENABLED=0")
		}
	}
	base, err := systemLayer()
	if err != nil {
		return nil, err
	}
	top, err := layer(entry{name: "explorer", mode: 0o755, data: program})
	if err != nil {
		return nil, err
	}
	blank := mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1)
	img, err := mutate.AppendLayers(blank, base, top)
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", architecture, v1.Time{Time: time.Unix(0, 0).UTC()}
	config.Config = v1.Config{
		User: "65532:65532", Env: []string{"ZONEINFO=/zoneinfo.zip"},
		Entrypoint: []string{"/explorer"}, Cmd: []string{"serve"},
		ExposedPorts: map[string]struct{}{"8080/tcp": {}, "9090/tcp": {}},
		Labels: map[string]string{
			"org.opencontainers.image.title":    "Parliament Explorer",
			"org.opencontainers.image.licenses": "MIT",
			"org.opencontainers.image.version":  version,
			"org.opencontainers.image.revision": revision,
			"org.opencontainers.image.source":   "https://github.com/parliament-explorer/parliament-explorer",
		},
	}
	return mutate.ConfigFile(img, config)
}

// systemLayer returns what the program needs beside itself: certificates, time zones, a user and /tmp.
func systemLayer() (v1.Layer, error) {
	// `go run` runs this command, so GOROOT is there.
	root := runtime.GOROOT() //nolint:staticcheck // see above
	zones, err := os.ReadFile(filepath.Join(root, "lib", "time", "zoneinfo.zip"))
	if err != nil {
		return nil, fmt.Errorf("time zones: %w", err)
	}
	const users = "root:x:0:0:root:/:/none\nnonroot:x:65532:65532:nonroot:/:/none\n"
	return layer(
		entry{name: "etc/", mode: 0o755}, entry{name: "etc/ssl/", mode: 0o755}, entry{name: "etc/ssl/certs/", mode: 0o755},
		entry{name: "etc/group", mode: 0o644, data: []byte("root:x:0:\nnonroot:x:65532:\n")},
		entry{name: "etc/passwd", mode: 0o644, data: []byte(users)},
		entry{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, data: certificates()},
		entry{name: "tmp/", mode: 0o1777},
		entry{name: "zoneinfo.zip", mode: 0o644, data: zones},
	)
}

// certificates returns the roots that Mozilla trusts, in the order of Go's module of them.
func certificates() []byte {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a buffer accepts every write
	}
	return b.Bytes()
}

// entry is a file or, if its name ends with a slash, a folder.
type entry struct {
	name string
	mode int64
	data []byte
}

// layer returns a layer without times and owners, so that it is reproducible.
func layer(entries ...entry) (v1.Layer, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{
			Name: e.name, Mode: e.mode, Size: int64(len(e.data)), Typeflag: tar.TypeReg, Format: tar.FormatUSTAR,
			ModTime: time.Unix(0, 0),
		}
		if e.name[len(e.name)-1] == '/' {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer))
}
