//go:build unix

package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

const socketsWork = true // else the server listens on TCP

// installed are the places that installers put the server's programs in, as patterns.
func installed() []string {
	return []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/libexec/postgresql*", "/opt/homebrew/opt/postgresql*/bin",
		"/usr/local/opt/postgresql*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	}
}

// serverPath is a path as the server's programs can read it.
func serverPath(path string) string { return path }

// rename returns a path another name.
func rename(from, to string) error { return os.Rename(from, to) }

// contain sees to it that what a program started ends with it. Here such children end by themselves.
func contain(*os.Process) (io.Closer, error) { return closerFunc(func() error { return nil }), nil }

type owner struct {
	name     string
	uid, gid uint32
}

// serverOwner is the user that the server runs as: nil, which is ourselves, unless we are root, whom it refuses.
func serverOwner() (*owner, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &owner{name: name, uid: uint32(uid), gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("running as root, and there is no user postgres or nobody to run the Postgres server as")
}

// Give returns a path to the server's user. Of a link, it gives the link itself.
func (e *Server) Give(path string) error {
	if e.owner == nil {
		return nil
	}
	return os.Lchown(path, int(e.owner.uid), int(e.owner.gid))
}

// makeClosed makes a folder that is closed to all but us.
func makeClosed(dir, pattern string) (string, error) { return os.MkdirTemp(dir, pattern) }

// checkReachable makes sure that the server's user can enter every folder on the way.
func (e *Server) checkReachable(dir string) error {
	switch at, err := e.owner.barred(dir); {
	case err != nil:
		return err
	case at != "":
		return fmt.Errorf("running as root, Postgres is run as user %s, which cannot enter %s: choose a DATA_DIR that it "+
			"can reach, such as /var/lib/parliament-explorer", e.owner.name, at)
	}
	return nil
}

// barred is the folder on the way to a path that the server's user cannot enter; empty if it can enter all that are
// there already.
func (o *owner) barred(path string) (string, error) {
	if o == nil {
		return "", nil
	}
	resolved := false
	for d := path; ; d = filepath.Dir(d) {
		info, err := os.Stat(d) //nolint:gosec // nothing is read of it
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		if err == nil && info.IsDir() {
			st, ok := info.Sys().(*syscall.Stat_t)
			mode := info.Mode().Perm()
			if ok && mode&0o001 == 0 && (st.Uid != o.uid || mode&0o100 == 0) && (st.Gid != o.gid || mode&0o010 == 0) {
				return d, nil
			}
			if !resolved { // the way on of a link
				resolved = true
				real, err := filepath.EvalSymlinks(d)
				if err != nil {
					return "", err
				}
				if real != d {
					if at, err := o.barred(real); at != "" || err != nil {
						return at, err
					}
				}
			}
		}
		if d == filepath.Dir(d) {
			return "", nil
		}
	}
}

func (e *Server) checkOwner() error {
	info, err := os.Stat(e.cfg.Dir)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	if e.owner == nil {
		if int(st.Uid) != os.Geteuid() {
			return fmt.Errorf("data directory %s belongs to another user (uid %d): run as that user, or choose another DATA_DIR",
				e.cfg.Dir, st.Uid)
		}
		return nil
	}
	// As root the server simply runs as whoever owns the data.
	if st.Uid == 0 {
		return fmt.Errorf("data directory %s belongs to root, and Postgres refuses to run as root: chown it to %s",
			e.cfg.Dir, e.owner.name)
	}
	e.owner.uid, e.owner.gid = st.Uid, st.Gid
	return e.checkReachable(filepath.Dir(e.cfg.Dir))
}

// attributes start a program as its owner, in a process group of its own.
func (o *owner) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if o != nil {
		attr.Credential = &syscall.Credential{Uid: o.uid, Gid: o.gid}
	}
	return attr
}

// stopFast ends the sessions of a server, then the server.
func (*Server) stopFast(p *os.Process) error { return p.Signal(syscall.SIGINT) }

// stopNow ends a server that stopFast does not. Its next start recovers.
func (*Server) stopNow(p *os.Process) error { return p.Signal(syscall.SIGQUIT) }

// guardScript waits for the end of its standard input, and then stops the server with the process id $1 and removes the
// folder $2 of its socket.
const guardScript = `read -r _
kill -INT "$1" 2>/dev/null; sleep 4; kill -QUIT "$1" 2>/dev/null
rmdir "$2" 2>/dev/null; exit 0`

// startGuard starts a process that stops the server when our end of its standard input closes, which the kernel does
// even if we are killed, and then removes the folder of its socket. Closing the guard ourselves, after a stop, finds
// nothing left to stop.
func startGuard(pid int, socket string) (io.Closer, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close() //nolint:errcheck // the guard has it

	guard := exec.CommandContext(context.Background(), "/bin/sh", "-c", guardScript, //nolint:gosec // pid is a number
		"explorer-postgres-guard", strconv.Itoa(pid), socket)
	guard.Stdin = r
	guard.Dir = "/"
	guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := guard.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the guard of postgres: %w", err), w.Close())
	}
	go guard.Wait() //nolint:errcheck // its exit says nothing
	return closerFunc(sync.OnceValue(func() error {
		_ = guard.Process.Kill() // first: once the server is gone its pid may be somebody else's
		return w.Close()
	})), nil
}

// interrupt asks a server that is not our child to stop. One that is gone is no error.
func (*Server) interrupt(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// isPostgres reports whether a live process is a server on dir.
func isPostgres(pid int, dir string) bool {
	if syscall.Kill(pid, 0) != nil && !errors.Is(syscall.Kill(pid, 0), syscall.EPERM) {
		return false
	}
	//nolint:gosec // pid is a number
	ps := exec.CommandContext(context.Background(), "ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid))
	out, err := ps.Output()
	if err != nil {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil {
			return true // cannot tell: be careful, and let Postgres refuse
		}
		out = b
	}
	return bytes.Contains(out, []byte("postgres")) && bytes.Contains(out, []byte(dir))
}
