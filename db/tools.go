package db

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/parliament-explorer/parliament-explorer/db/embedded"
)

// tool is one of Postgres' programs on this machine.
type tool struct {
	name, path string
	major      int
}

// beside is another program of the same version.
func (t tool) beside(name string) (tool, error) {
	path, err := exec.LookPath(filepath.Join(filepath.Dir(t.path), name))
	if err != nil {
		return tool{}, fmt.Errorf("%s is not beside %s: install all of the Postgres client programs of version %d",
			name, t.path, t.major)
	}
	return tool{name: name, path: path, major: t.major}, nil
}

// toolFolders are where Postgres' programs may be: where servers are looked for, PATH, and where Linux distributions,
// Homebrew and Postgres.app put the versions that they have beside each other, with or without a server.
func toolFolders() []string {
	folders := append(embedded.Folders(), filepath.SplitList(os.Getenv("PATH"))...)
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin",
		"/usr/local/opt/postgresql*/bin",
		"/opt/homebrew/opt/libpq*/bin", "/usr/local/opt/libpq*/bin", "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		found, _ := filepath.Glob(pattern)
		folders = append(folders, found...)
	}
	return folders
}

// errNoTool says that a program is not on this machine, in any version.
var errNoTool = errors.New("is not on this machine: install the Postgres client programs (Debian: apt-get install " +
	"postgresql-client)")

// findTools finds a program in all versions that this machine has, the oldest first.
func findTools(name string) ([]tool, error) {
	var tools []tool
	for _, folder := range toolFolders() {
		if !filepath.IsAbs(folder) {
			continue
		}
		path, err := exec.LookPath(filepath.Join(folder, name)) // with .exe on Windows
		if err != nil {
			continue
		}
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			continue
		}
		// Debian's pg_wrapper chooses a version by its own rules. The versions that it chooses from are found too.
		if filepath.Base(real) == "pg_wrapper" {
			continue
		}
		major := toolMajor(real)
		if major == 0 || slices.ContainsFunc(tools, func(t tool) bool { return t.path == real || t.major == major }) {
			continue
		}
		tools = append(tools, tool{name: name, path: real, major: major})
	}
	if len(tools) == 0 {
		return nil, fmt.Errorf("%s %w", name, errNoTool)
	}
	slices.SortFunc(tools, func(a, b tool) int { return a.major - b.major })
	return tools, nil
}

// findDump finds pg_dump of a server's version or, failing that, of the next newer one.
func findDump(server int) (tool, error) {
	tools, err := findTools("pg_dump")
	if err != nil {
		return tool{}, err
	}
	for _, t := range tools {
		if t.major >= server {
			return t, nil
		}
	}
	newest := tools[len(tools)-1]
	return tool{}, fmt.Errorf(
		"the server is Postgres %d, and the newest pg_dump here is of version %d (%s), which cannot read it: install the "+
			"client programs of version %[1]d or newer (Debian: postgresql-client-%[1]d), or name their folder by "+
			"POSTGRES_BINARIES",
		server, newest.major, newest.path)
}

// toolMajor is the version that a program says it has; 0 if it does not say.
func toolMajor(path string) int {
	out, err := exec.CommandContext(context.Background(), path, "--version").Output()
	if err != nil {
		return 0
	}
	for _, f := range strings.Fields(string(out)) { // pg_dump (PostgreSQL) 15.18 (Debian ...), 18beta1
		digits := f[:len(f)-len(strings.TrimLeft(f, "0123456789"))]
		if v, err := strconv.Atoi(digits); err == nil {
			return v
		}
	}
	return 0
}
