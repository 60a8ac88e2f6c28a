package embedded

import (
	"errors"
	"os"
	"syscall"
)

// trusted says whether a folder is there: the cache is in the user's own profile.
func trusted(dir string) bool {
	info, err := os.Lstat(dir)
	return err == nil && info.IsDir()
}

// writable says whether a folder could be made or written to. Making it tells more.
func writable(string) bool { return true }

// noSpace says whether an error is that a disk or a quota is full.
func noSpace(err error) bool {
	const diskFull, handleDiskFull, quotaExceeded = syscall.Errno(112), syscall.Errno(39), syscall.Errno(1295)
	return errors.Is(err, diskFull) || errors.Is(err, handleDiskFull) || errors.Is(err, quotaExceeded)
}
