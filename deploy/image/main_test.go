package main

import (
	"archive/tar"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// program builds a small static program.
func program(t *testing.T, cgo string) []byte {
	t.Helper()
	dir := t.TempDir()
	source, out := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	text := "package main\n\nfunc main() { println(\"hello\") }\n"
	if cgo == "1" {
		text = "package main\n\nimport \"C\"\n\nfunc main() {}\n"
	}
	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-trimpath", "-o", out, source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo, "GOOS=linux", "GOFLAGS=")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	raw, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestImage builds an image twice, compares them, and checks the content.
func TestImage(t *testing.T) {
	t.Parallel()
	binary := program(t, "0")
	var digests []string
	for range 2 {
		file, out := filepath.Join(t.TempDir(), "explorer"), filepath.Join(t.TempDir(), "image")
		if err := os.WriteFile(file, binary, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := run(file, out, "1.2.3", "abc"); err != nil {
			t.Fatal(err)
		}
		path, err := layout.FromPath(out)
		if err != nil {
			t.Fatal(err)
		}
		index, err := path.ImageIndex()
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Index(index); err != nil {
			t.Error(err)
		}
		manifest, err := index.IndexManifest()
		if err != nil || len(manifest.Manifests) != 1 {
			t.Fatalf("%+v, %v", manifest, err)
		}
		if p := manifest.Manifests[0].Platform; p == nil || p.OS != "linux" || p.Architecture != runtime.GOARCH {
			t.Errorf("platform %+v", p)
		}
		digests = append(digests, manifest.Manifests[0].Digest.String())
	}
	if digests[0] != digests[1] {
		t.Errorf("two images of one program: %v", digests)
	}
	img, err := build(binary, "1.2.3", "abc")
	if err != nil {
		t.Fatal(err)
	}
	// The Dockerfile has the same configuration.
	docker, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	says := func(instruction string) string {
		all := regexp.MustCompile(`(?m)^`+instruction+` (.*)$`).FindAllStringSubmatch(string(docker), -1)
		if len(all) == 0 {
			t.Fatalf("the Dockerfile has no %s", instruction)
		}
		return strings.Trim(all[len(all)-1][1], `[]"`)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c := config.Config
	if c.Entrypoint[0] != says("ENTRYPOINT") || c.Cmd[0] != says("CMD") || says("USER") != "nonroot:nonroot" ||
		c.User != "65532:65532" {
		t.Errorf("runs %v %v as %s, want %s %s as %s", c.Entrypoint, c.Cmd, c.User, says("ENTRYPOINT"), says("CMD"),
			says("USER"))
	}
	for _, port := range strings.Fields(says("EXPOSE")) {
		if _, ok := c.ExposedPorts[port+"/tcp"]; !ok {
			t.Errorf("does not expose %s", port)
		}
	}
	// The content of the layers.
	in := map[string]*tar.Header{}
	texts := map[string][]byte{}
	content := mutate.Extract(img)
	defer content.Close()
	for files := tar.NewReader(content); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		name := strings.Trim(h.Name, "/")
		in[name] = h
		if texts[name], err = io.ReadAll(files); err != nil {
			t.Fatal(err)
		}
		if h.ModTime.Unix() != 0 || h.Uid != 0 || h.Uname != "" {
			t.Errorf("%s is of %s by %q", h.Name, h.ModTime, h.Uname)
		}
	}
	if in["explorer"].Mode&0o111 == 0 || in["tmp"].Mode&0o1777 != 0o1777 || len(texts["zoneinfo.zip"]) < 100_000 ||
		len(in) != 9 {
		t.Errorf("in it: %v", in)
	}
	if pool := x509.NewCertPool(); !pool.AppendCertsFromPEM(texts["etc/ssl/certs/ca-certificates.crt"]) {
		t.Error("no certificates")
	}
}

// TestNoImage refuses programs that would not run in an image.
func TestNoImage(t *testing.T) {
	t.Parallel()
	if _, err := build([]byte("#!/bin/sh\n"), "", ""); err == nil {
		t.Error("a script is taken for a program")
	}
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Log("no gcc: a program that is not static cannot be made here")
		return
	}
	if _, err := build(program(t, "1"), "", ""); err == nil || !strings.Contains(err.Error(), "static") {
		t.Errorf("a program that is not static: %v", err)
	}
}
