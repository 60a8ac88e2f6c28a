//go:build unix

package cli

import (
	"context"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// What people type here, for lines that a command prints to go on with. %[2]s is the address of a simulated Parliament.
const (
	curl            = "curl"
	withEnvironment = "OPENPARLIAMENT_URL=%[2]s LEGISINFO_URL=%[2]s/legisinfo explorer dev"
)

// diskFree returns how many bytes this user can still write to the disk of a folder.
func diskFree(dir string) (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0, err
	}
	return int64(fs.Bavail) * int64(fs.Bsize), nil //nolint:gosec,unconvert // far below; of another type on another system
}

// obeysEscapes reports whether a terminal interprets escape sequences.
func obeysEscapes(*os.File) bool { return os.Getenv("TERM") != "dumb" }

// asService runs the program as a service, if the service manager of Windows started it. On other systems there is
// nothing to do: systemd and launchd stop a service by SIGTERM.
func asService(func(context.Context, io.Writer) int) (code int, service bool) { return 0, false }
