package embedded

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// trusted reports whether a folder is there and belongs to us, administrators or the system: its owner may always
// change what is in it. Who else may, the folder around it says, which is in the user's own profile or of the user's
// choice.
func trusted(dir string) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() {
		return false
	}
	sid, err := ownerOf(dir)
	if err != nil {
		return false
	}
	mine, err := ours(sid)
	return err == nil && mine
}

// ownerOf is whom a path belongs to.
func ownerOf(path string) (*windows.SID, error) {
	descriptor, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return nil, err
	}
	sid, _, err := descriptor.Owner()
	if err == nil && sid == nil {
		err = errors.New("it has no owner")
	}
	return sid, err
}

// ours reports whether somebody is ourselves, administrators or the system.
func ours(sid *windows.SID) (bool, error) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return false, fmt.Errorf("look up who we are: %w", err)
	}
	return sid.Equals(user.User.Sid) || sid.IsWellKnown(windows.WinBuiltinAdministratorsSid) ||
		sid.IsWellKnown(windows.WinLocalSystemSid), nil
}

// writable reports whether a folder could be made or written to. Making it tells more.
func writable(string) bool { return true }

// noSpace reports whether an error is that a disk or a quota is full.
func noSpace(err error) bool {
	const diskFull, handleDiskFull, quotaExceeded = syscall.Errno(112), syscall.Errno(39), syscall.Errno(1295)
	return errors.Is(err, diskFull) || errors.Is(err, handleDiskFull) || errors.Is(err, quotaExceeded)
}
