package embedded

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// mavenCentral is where the server binaries that zonky.io builds are kept.
const mavenCentral = "https://repo1.maven.org/maven2"

// fetched is the version that is fetched. Data that it made needs this major version for good: a copy of an older one
// stays in the cache when the version here changes.
const fetched = "18.4.0"

// pins are the archives of that version. Another repository's archives must be the same.
var pins = map[string]pin{
	"linux-amd64":        {15175961, 62, "401d4e69baba9072d3772607710df0d47b39a7632c6b01b2a5f5d85a9514e212"},
	"linux-arm64v8":      {14176928, 62, "a9ec284923b9a7d2db41509bfb88c3d0eeb9f4aa5e2b29ea0aac5e8dbaf4c335"},
	"linux-amd64-alpine": {14903522, 62, "fe42b1e2a60eb4c50f6859bf17e933fd87f6ad701a1e72ac54070a67acc58e14"},
	"darwin-amd64":       {33142772, 150, "68381ed1488edd337345c6c4bc6ae0c823832a4dd7af8b04656ee5c218c291b5"},
	"darwin-arm64v8":     {33143779, 150, "ab698c4486a795d2aa8a158b3a41e1201a77e7ff72a6255094cd5900080853c2"},
	"windows-amd64":      {25282973, 115, "1f71b4d67eeee94034ffbea7a9fae68ab34ff1e31ac01837acb6f56984350ece"},
}

// pin says what an archive must be.
type pin struct {
	size     int64
	unpacked int64 // MB, roughly
	sum      string
}

// Archive is an archive of server binaries in a Maven repository.
type Archive struct {
	// Version is, e.g., 18.4.0.
	Version string
	// Platform is, e.g., linux-amd64, as the archive's name has it.
	Platform string
	// Size is how many bytes are fetched.
	Size int64
	// From is the archive's address, without a password.
	From string
	// To is the folder that it is unpacked into, as far as can be told before; empty if there is none.
	To string

	address *url.URL
	pin
}

// Name is what is in the archive.
func (a *Archive) Name() string { return "Postgres " + strings.TrimSuffix(a.Version, ".0") }

func (a *Archive) major() int {
	major, _, _ := strings.Cut(a.Version, ".")
	n, _ := strconv.Atoi(major)
	return n
}

// folder is the name of the folder of an unpacked archive.
func (a *Archive) folder() string { return a.Version + "-" + a.Platform }

// room is how much space a fetch needs.
func (a *Archive) room() string { return fmt.Sprintf("%d MB", a.unpacked+a.Size>>20+1) }

// isFolder reports whether Binaries names a folder.
func (s Source) isFolder() bool { return s.Binaries != "" && !strings.Contains(s.Binaries, "://") }

// Check says what is wrong with the Source.
func (s Source) Check() error {
	if s.isFolder() {
		info, err := os.Stat(s.Binaries)
		switch {
		case err != nil:
			return fmt.Errorf("POSTGRES_BINARIES: %w", err)
		case !info.IsDir():
			return fmt.Errorf("POSTGRES_BINARIES %s is no folder", s.Binaries)
		}
		return nil
	}
	_, err := s.repository()
	return err
}

// repository is the address of the Maven repository to fetch from.
func (s Source) repository() (*url.URL, error) {
	if s.Binaries == "" {
		return url.Parse(mavenCentral)
	}
	u, err := url.Parse(s.Binaries)
	switch {
	case err != nil: // its text has the address in it, and that may hold a password
		return nil, errors.New("POSTGRES_BINARIES: the address cannot be read")
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "",
		u.Scheme == "file" && (u.Host == "" || u.Host == "localhost") && u.Path != "":
		return u, nil
	}
	return nil, fmt.Errorf("POSTGRES_BINARIES %s: want a folder, or an address such as "+
		"https://maven.example.org/repository or file:///srv/maven", public(u))
}

// public is an address without what is secret in it.
func public(u *url.URL) string {
	c := *u
	c.User, c.RawQuery, c.Fragment = nil, "", ""
	return c.String()
}

// archive is what there is to fetch for this machine.
func (s Source) archive() (*Archive, error) {
	version, platform := fetched, s.platform()
	p, ok := pins[platform]
	if s.fetching.pin != nil {
		p, ok = *s.fetching.pin, true
	}
	if !ok {
		return nil, fmt.Errorf("none are published for %s", platform)
	}
	repository, err := s.repository()
	if err != nil {
		return nil, err
	}
	name := "embedded-postgres-binaries-" + platform
	a := &Archive{Version: version, Platform: platform, Size: p.size, pin: p}
	a.address = repository.JoinPath("io/zonky/test/postgres", name, version, name+"-"+version+".jar")
	a.From = public(a.address)
	places := s.places()
	usable := func(place string) bool { return writable(place) && reachable(place) == nil }
	if i := slices.IndexFunc(places, usable); i >= 0 {
		a.To = filepath.Join(places[i], a.folder())
	}
	return a, nil
}

// platform is this machine as zonky.io's archives name it.
func (s Source) platform() string {
	if s.fetching.platform != "" {
		return s.fetching.platform
	}
	arch := runtime.GOARCH
	switch {
	case arch == "arm64" && runtime.GOOS == "windows":
		arch = "amd64" // which Windows emulates
	case arch == "arm64":
		arch = "arm64v8"
	}
	name := runtime.GOOS + "-" + arch
	if runtime.GOOS == "linux" && musl() {
		name += "-alpine"
	}
	return name
}

// musl reports whether this Linux has musl as its C library, and not glibc.
func musl() bool {
	if _, err := os.Stat("/etc/alpine-release"); err == nil {
		return true
	}
	loaders, _ := filepath.Glob("/lib/ld-musl-*.so.1")
	if len(loaders) == 0 {
		return false
	}
	for _, pattern := range []string{"/lib/ld-linux*.so.*", "/lib64/ld-linux*.so.*"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return false
		}
	}
	return true
}

// places are the folders that fetched binaries are kept in; the first that can be written to is used.
func (s Source) places() []string {
	if s.fetching.places != nil {
		return s.fetching.places
	}
	const name = "parliament-explorer"
	shared := "/var/cache/" + name // root's own folders are closed to the user that Postgres runs as
	if runtime.GOOS == "darwin" {
		shared = "/Library/Caches/" + name
	}
	var places []string
	add := func(dir string) { places = append(places, filepath.Join(dir, "postgres")) }
	given := os.Getenv("XDG_CACHE_HOME") // wins over the machine's, for root too
	if own, err := os.UserCacheDir(); filepath.IsAbs(given) {
		add(filepath.Join(given, name))
	} else if err == nil && filepath.IsAbs(own) && os.Geteuid() != 0 {
		add(filepath.Join(own, name))
	}
	if runtime.GOOS == "windows" { // where others may put files into what we make in a shared temporary folder
		return places
	}
	if !filepath.IsAbs(given) || reachable(given) != nil { // sudo may keep the caller's, and root's own is closed
		add(shared)
	}
	add(filepath.Join(os.TempDir(), name+"-"+strconv.Itoa(os.Geteuid())))
	return places
}

// reachable returns why the user that the server runs as could not run what is in a folder; nil if it could.
func reachable(dir string) error {
	owner, err := serverOwner()
	if err != nil {
		return nil //nolint:nilerr // the start says so
	}
	switch at, err := owner.barred(dir); {
	case err != nil:
		return err
	case at != "":
		return fmt.Errorf("user %s, as whom root runs Postgres, cannot enter %s", owner.name, at)
	}
	return nil
}

// copies are the bin folders of the fetched copies for this machine that are whole.
func (s Source) copies() []string {
	if s.isFolder() {
		return nil
	}
	var bins []string
	for _, place := range s.places() {
		if reachable(place) != nil {
			continue
		}
		newest := filepath.Join(place, fetched+"-"+s.platform())
		folders, _ := filepath.Glob(filepath.Join(place, "[0-9]*-"+s.platform()))
		for _, folder := range append([]string{newest}, folders...) {
			bin := filepath.Join(folder, "bin")
			if !slices.Contains(bins, bin) && trusted(place) && trusted(filepath.Dir(place)) && intact(folder) == nil {
				bins = append(bins, bin)
			}
		}
	}
	return bins
}
