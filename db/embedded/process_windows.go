package embedded

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/parliament-explorer/parliament-explorer/db/internal/tail"
)

const socketsWork = false // only newer systems have Unix sockets, and not all builds of Postgres for Windows use them

// installed are the places that installers put the server's programs in, as patterns.
func installed() []string {
	var patterns []string
	for _, variable := range []string{"ProgramFiles", "ProgramW6432"} {
		if folder := os.Getenv(variable); filepath.IsAbs(folder) {
			patterns = append(patterns, filepath.Join(folder, "PostgreSQL", "*", "bin"))
		}
	}
	return patterns
}

// serverPath is a path as the server's programs can read it. They see their arguments in the system's code page, which
// has no place for many letters; the short name of a path is all ASCII, where the volume keeps short names.
func serverPath(path string) string {
	if strings.IndexFunc(path, func(r rune) bool { return r > unicode.MaxASCII }) < 0 {
		return path
	}
	long, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return path
	}
	if _, err := os.Stat(path); err != nil { // what is not there yet has no short name, but its folder has
		if dir := filepath.Dir(path); dir != path {
			return filepath.Join(serverPath(dir), filepath.Base(path))
		}
		return path
	}
	short := make([]uint16, windows.MAX_LONG_PATH)
	n, err := windows.GetShortPathName(long, &short[0], uint32(len(short))) //nolint:gosec // a constant
	if err != nil || int(n) >= len(short) {
		return path
	}
	return windows.UTF16ToString(short[:n])
}

// rename returns a path another name. A virus scanner may have a file of it open for a moment.
func rename(from, to string) error {
	for wait := 10 * time.Millisecond; ; wait *= 2 {
		err := os.Rename(from, to)
		passing := errors.Is(err, windows.ERROR_ACCESS_DENIED) || errors.Is(err, windows.ERROR_SHARING_VIOLATION)
		if !passing || wait > 2*time.Second {
			return err
		}
		time.Sleep(wait)
	}
}

// owner is who the server runs as, where that is not quite ourselves.
type owner struct {
	name  string
	token windows.Token // open as long as there is an owner: the server may be started again
}

// serverOwner is nil, which is ourselves, unless we are an administrator, whom the server refuses. Then it is ourselves
// without those rights.
func serverOwner() (*owner, error) {
	var refused []*windows.SID
	administrator := false
	for _, group := range []windows.WELL_KNOWN_SID_TYPE{windows.WinBuiltinAdministratorsSid,
		windows.WinBuiltinPowerUsersSid} {
		sid, err := windows.CreateWellKnownSid(group)
		if err != nil {
			return nil, fmt.Errorf("look up the group of administrators: %w", err)
		}
		member, err := windows.Token(0).IsMember(sid)
		if err != nil {
			return nil, fmt.Errorf("ask whether we are an administrator: %w", err)
		}
		administrator = administrator || member
		refused = append(refused, sid)
	}
	if !administrator {
		return nil, nil
	}
	token, err := tokenWithout(refused)
	if err != nil {
		return nil, fmt.Errorf("running as an administrator, whom Postgres refuses, and giving up these rights failed: %w",
			err)
	}
	o := &owner{name: "ourselves without administrators' rights", token: token}
	runtime.AddCleanup(o, func(t windows.Token) { _ = t.Close() }, token)
	return o, nil
}

// tokenWithout is our token without the rights of some groups and without privileges, as pg_ctl makes it for its
// server. We start the server ourselves because pg_ctl goes away, and with it the server's exit and what it said.
func tokenWithout(groups []*windows.SID) (token windows.Token, err error) {
	const disableMaxPrivilege = 1
	var own windows.Token
	if err := windows.OpenProcessToken(windows.CurrentProcess(), windows.TOKEN_ALL_ACCESS, &own); err != nil {
		return 0, err
	}
	defer own.Close() //nolint:errcheck // read only
	disable := make([]windows.SIDAndAttributes, 0, len(groups))
	for _, sid := range groups {
		disable = append(disable, windows.SIDAndAttributes{Sid: sid})
	}
	create := windows.NewLazySystemDLL("advapi32.dll").NewProc("CreateRestrictedToken")
	if err := create.Find(); err != nil {
		return 0, err
	}
	if ok, _, err := create.Call(uintptr(own), disableMaxPrivilege, uintptr(len(disable)),
		uintptr(unsafe.Pointer(&disable[0])),
		0, 0, 0, 0, uintptr(unsafe.Pointer(&token))); ok == 0 {
		return 0, fmt.Errorf("CreateRestrictedToken: %w", err)
	}
	// What an administrator makes is open to the group of administrators. Without that group, the server could not open
	// its own pipes.
	acl, err := ownersAlone(windows.NO_INHERITANCE)
	if err != nil {
		return 0, errors.Join(err, token.Close())
	}
	byDefault := struct{ acl *windows.ACL }{acl}
	if err := windows.SetTokenInformation(token, windows.TokenDefaultDacl, (*byte)(unsafe.Pointer(&byDefault)),
		uint32(unsafe.Sizeof(byDefault))); err != nil {
		return 0, errors.Join(fmt.Errorf("SetTokenInformation: %w", err), token.Close())
	}
	return token, nil
}

// ownersAlone lets us, administrators and the system do everything, and nobody else anything.
func ownersAlone(inheritance uint32) (*windows.ACL, error) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return nil, fmt.Errorf("look up who we are: %w", err)
	}
	sids := []*windows.SID{user.User.Sid}
	for _, known := range []windows.WELL_KNOWN_SID_TYPE{windows.WinBuiltinAdministratorsSid, windows.WinLocalSystemSid} {
		sid, err := windows.CreateWellKnownSid(known)
		if err != nil {
			return nil, err
		}
		sids = append(sids, sid)
	}
	var entries []windows.EXPLICIT_ACCESS
	for _, sid := range sids {
		entries = append(entries, windows.EXPLICIT_ACCESS{
			AccessPermissions: windows.GENERIC_ALL, AccessMode: windows.GRANT_ACCESS, Inheritance: inheritance,
			Trustee: windows.TRUSTEE{TrusteeForm: windows.TRUSTEE_IS_SID, TrusteeValue: windows.TrusteeValueFromSID(sid)},
		})
	}
	return windows.ACLFromEntries(entries, nil)
}

// Give closes a path to all but the server's user, who is ourselves, administrators and the system.
func (e *Server) Give(path string) error { return closeToOthers(path) }

// makeClosed makes a folder that is closed to all but us, administrators and the system.
func makeClosed(dir, pattern string) (string, error) {
	made, err := os.MkdirTemp(dir, pattern)
	if err != nil {
		return "", err
	}
	if err := closeToOthers(made); err != nil {
		return "", errors.Join(err, os.Remove(made))
	}
	return made, nil
}

func closeToOthers(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	inheritance := uint32(windows.NO_INHERITANCE)
	if info.IsDir() {
		inheritance = windows.SUB_CONTAINERS_AND_OBJECTS_INHERIT
	}
	acl, err := ownersAlone(inheritance)
	if err != nil {
		return err
	}
	if err := windows.SetNamedSecurityInfo(path, windows.SE_FILE_OBJECT,
		windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, acl, nil); err != nil {
		return fmt.Errorf("close %s to others: %w", path, err)
	}
	return nil
}

// checkReachable has nothing to look for: the server runs as the user that we are.
func (e *Server) checkReachable(string) error { return nil }

// barred is nothing, for the same reason.
func (o *owner) barred(string) (string, error) { return "", nil }

// checkOwner makes sure that the data is ours. Another user's has settings that run that user's programs as us.
func (e *Server) checkOwner() error {
	sid, err := ownerOf(e.cfg.Dir)
	if err != nil {
		return fmt.Errorf("data directory: look up whose it is: %w", err)
	}
	mine, err := ours(sid)
	if err != nil {
		return err
	}
	if !mine {
		name := sid.String()
		if account, domain, _, err := sid.LookupAccount(""); err == nil {
			name = domain + `\` + account
		}
		return fmt.Errorf("data directory %s belongs to another user (%s): run as that user, or choose another DATA_DIR",
			e.cfg.Dir, name)
	}
	return nil
}

// attributes start a program as its owner, with a console of its own that nobody sees: Ctrl-C, Ctrl-Break and the
// closing of our console reach us alone.
func (o *owner) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{HideWindow: true,
		CreationFlags: windows.CREATE_NO_WINDOW | windows.CREATE_NEW_PROCESS_GROUP}
	if o != nil {
		attr.Token = syscall.Token(o.token)
	}
	return attr
}

// signal sends a server one of the signals that Postgres has on Windows too.
func (e *Server) signal(name string, pid int) error {
	cmd := e.Command("pg_ctl", "kill", name, strconv.Itoa(pid))
	said := &tail.Tail{}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("pg_ctl kill %s: %w: %s", name, err, said.LastLine())
	}
	return nil
}

// stopFast ends the sessions of a server, then the server.
func (e *Server) stopFast(p *os.Process) error { return e.signal("INT", p.Pid) }

// stopNow ends a server that stopFast does not. Its next start recovers.
func (e *Server) stopNow(p *os.Process) error {
	if err := e.signal("QUIT", p.Pid); err != nil {
		return p.Kill() // it listens to no signals yet
	}
	return nil
}

// interrupt asks a server that is not our child to stop.
func (e *Server) interrupt(pid int) error { return e.signal("INT", pid) }

// startGuard puts the server into a job object. The system ends all of a job when its last handle is closed, which is
// what happens when we end, by whatever cause. The next start recovers what was not written. If we are killed between
// the start of the server and this, the next start finds and stops it.
func startGuard(pid int, _ string) (io.Closer, error) { return containPID(pid) }

// contain sees to it that what a program starts ends with it.
func contain(p *os.Process) (io.Closer, error) { return containPID(p.Pid) }

func containPID(pid int) (io.Closer, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return nil, fmt.Errorf("make a job object: %w", err)
	}
	limits := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{
		BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{
			LimitFlags: windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
		},
	}
	if _, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits))); err == nil {
		err = assign(job, pid)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("put process %d into a job object: %w", pid, err), windows.CloseHandle(job))
	}
	return closerFunc(sync.OnceValue(func() error { return windows.CloseHandle(job) })), nil
}

func assign(job windows.Handle, pid int) error {
	//nolint:gosec // a pid
	process, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(pid))
	if errors.Is(err, windows.ERROR_INVALID_PARAMETER) {
		return nil // it has ended
	}
	if err != nil {
		return err
	}
	defer windows.CloseHandle(process) //nolint:errcheck // nothing is left to do about it
	err = windows.AssignProcessToJobObject(job, process)
	if err != nil && exited(process) {
		return nil
	}
	return err
}

func exited(process windows.Handle) bool {
	var code uint32
	const stillActive = 259
	return windows.GetExitCodeProcess(process, &code) == nil && code != stillActive
}

// isPostgres reports whether a live process is the server that wrote the postmaster.pid in dir: a Postgres that is no
// younger than the file says. A number that another process has got since is of a younger one.
func isPostgres(pid int, dir string) bool {
	//nolint:gosec // a pid
	process, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return errors.Is(err, windows.ERROR_ACCESS_DENIED) // cannot tell: be careful, and let Postgres refuse
	}
	defer windows.CloseHandle(process) //nolint:errcheck // read only
	if exited(process) {
		return false
	}
	name := make([]uint16, windows.MAX_LONG_PATH)
	size := uint32(len(name)) //nolint:gosec // a constant
	if err := windows.QueryFullProcessImageName(process, 0, &name[0], &size); err != nil {
		return true
	}
	if !strings.EqualFold(filepath.Base(windows.UTF16ToString(name[:size])), "postgres.exe") {
		return false
	}
	raw, err := os.ReadFile(filepath.Join(dir, "postmaster.pid")) //nolint:gosec // in our data directory
	if err != nil {
		return true // the server takes it away just before it ends
	}
	lines := strings.Split(string(raw), "\n")
	if len(lines) < 3 {
		return true
	}
	wrote, err := strconv.ParseInt(strings.TrimSpace(lines[2]), 10, 64)
	if err != nil {
		return true
	}
	var created, ended, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(process, &created, &ended, &kernel, &user); err != nil {
		return true
	}
	return !time.Unix(0, created.Nanoseconds()).After(time.Unix(wrote, 0).Add(2 * time.Second))
}
